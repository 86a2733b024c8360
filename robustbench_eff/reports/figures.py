"""Figures for papers, drawn from scores: security curves, clean against robust accuracy, corruptions, shape bias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.flags import mark_of
from robustbench_eff.core.visible_text import visible
from robustbench_eff.scores.headline import ball_of, headlines, leading, subject_of
from robustbench_eff.scores.score import Score

from .corruption_figure import corruption_figures
from .figure_style import WIDTHS, Look, legend_below, legend_height, looks, new_figure, styled
from .shape_bias_figure import shape_bias_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_HEIGHT = 2.1
"""Height of a panel in inches, without its legend."""
NORM_NAMES = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}


class Drawn(NamedTuple):
    """A figure with its name, and the scores that it shows."""

    name: str
    """Name of its file without the extension."""
    figure: Figure
    scores: Sequence[Score]


class _Place(NamedTuple):
    """What the models of a panel share."""

    benchmark: str
    images: object
    norm: str


def figures(scores: Sequence[Score], width: str = "column") -> list[Drawn]:
    """Return every figure for which there are numbers.

    A name in a legend has a mark where one of its numbers has a flag.

    Args:
        scores: All scores of one store or several.
        width: One of WIDTHS.
    """
    inches = WIDTHS[width]
    of_models = looks(list(dict.fromkeys(score.model for score in scores)))
    with styled():
        drawn = [
            *_security_curves(scores, of_models, inches),
            *_clean_against_robust(scores, of_models, inches),
            *(Drawn(*found) for found in corruption_figures(scores, inches)),
            *(Drawn(*found) for found in shape_bias_figures(scores, of_models, inches)),
        ]
    counts: dict[str, int] = defaultdict(int)
    named = []
    for item in drawn:
        counts[item.name] += 1
        named.append(item if counts[item.name] == 1 else item._replace(name=f"{item.name}-{counts[item.name]}"))
    return named


def _security_curves(scores: Sequence[Score], of_models: Mapping[str, Look], width: float) -> Iterator[Drawn]:
    """Robust accuracy under all attacks within each radius; a figure per benchmark and norm with two radii or more."""
    curves: dict[_Place, dict[str, dict[float, Score]]] = defaultdict(lambda: defaultdict(dict))
    for score, leads in zip(scores, headlines(scores), strict=True):
        ball = ball_of(score)
        if leads and ball is not None:
            place = _Place(score.benchmark, score.protocol.of_images(), ball.norm)
            curves[place][score.model].setdefault(ball.eps, score)
    for place, by_model in curves.items():
        if max(map(len, by_model.values())) < 2:
            continue
        clean = _clean(scores, place.benchmark, place.images)
        figure = new_figure(width, _panel_height(width) + legend_height(list(by_model), width))
        panel, shown = figure.subplots(), []
        for model, points in by_model.items():
            line = [(0.0, clean[model])] if model in clean else []
            line += sorted(points.items())
            shown += [score for _, score in line]
            _draw_curve(panel, line, of_models[model])
        panel.set(xlabel=f"radius ε of the {NORM_NAMES.get(place.norm, place.norm)} ball", ylabel="accuracy, %")
        panel.set(ylim=(0, 100), xlim=(0, None))
        legend_below(figure, panel, width)
        yield Drawn(f"security-curve-{place.benchmark}-{place.norm}", figure, shown)


def _draw_curve(panel: Any, line: Sequence[tuple[float, Score]], look: Look) -> None:
    radii = [radius for radius, _ in line]
    found = [score for _, score in line]
    values = [100 * (score.value or 0.0) for score in found]
    panel.plot(radii, values, marker=look.marker, color=look.color, label=label_of(found), clip_on=False)
    if all(score.low is not None and score.high is not None for score in found):
        ends = [[100 * (getattr(score, name) or 0.0) for score in found] for name in ("low", "high")]
        panel.fill_between(radii, *ends, color=look.color, alpha=0.15, linewidth=0)


def _clean_against_robust(scores: Sequence[Score], of_models: Mapping[str, Look], width: float) -> Iterator[Drawn]:
    """Each model as a point with both intervals, one figure per benchmark and norm."""
    leads = {id(score) for score in leading(scores)}
    groups: dict[_Place, dict[float, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score, is_headline in zip(scores, headlines(scores), strict=True):
        ball = ball_of(score)
        if is_headline and ball is not None:
            groups[_Place(score.benchmark, score.protocol.of_images(), ball.norm)][ball.eps].append(score)
    for place, by_radius in groups.items():
        # The radius that most models have, and of several the one that leads the reports of most.
        eps, robust = max(by_radius.items(), key=lambda item: (len(item[1]), sum(id(of) in leads for of in item[1])))
        clean = _clean(scores, place.benchmark, place.images)
        pairs = [(clean[score.model], score) for score in robust if score.model in clean]
        if len(pairs) < 2:
            continue
        figure = new_figure(width, _panel_height(width) + legend_height([of.model for of, _ in pairs], width))
        panel = figure.subplots()
        for pair in pairs:
            look = of_models[pair[0].model]
            (x, left, right), (y, below, above) = map(_arms, pair)
            drawn: dict[str, Any] = {"fmt": look.marker, "color": look.color, "label": label_of(pair)}
            panel.errorbar([x], [y], xerr=[[left], [right]], yerr=[[below], [above]], elinewidth=0.8, **drawn)
        panel.set(xlabel="accuracy on clean images, %")
        panel.set(ylabel=f"robust accuracy, %\n({NORM_NAMES.get(place.norm, place.norm)}, ε = {spec.literal(eps)})")
        legend_below(figure, panel, width)
        yield Drawn(
            f"clean-against-robust-{place.benchmark}-{place.norm}", figure, [score for pair in pairs for score in pair]
        )


def _panel_height(width: float) -> float:
    """Height of a panel in inches: flatter across two columns than in one."""
    return PANEL_HEIGHT * (1.0 if width < 4 else 1.25)


def _clean(scores: Sequence[Score], benchmark: str, images: object) -> dict[str, Score]:
    """Clean accuracy on the same images by model."""
    return {
        score.model: score
        for score in reversed(scores)
        if (score.metric, score.kind, score.benchmark) == ("accuracy", "none", benchmark)
        and score.value is not None
        and score.protocol.of_images() == images
        and not subject_of(score)[-1]
    }


def _arms(score: Score) -> tuple[float, float, float]:
    """A value in percent and the lengths of the two arms of its interval, 0 without one."""
    value = score.value or 0.0
    low, high = (value if end is None else end for end in (score.low, score.high))
    return 100 * value, 100 * max(0.0, value - low), 100 * max(0.0, high - value)


def label_of(scores: Sequence[Score]) -> str:
    """Return the name of the model of some scores, with the marks of their flags.

    Args:
        scores: Scores of one model.
    """
    mark = mark_of(flag for score in scores for flag in score.flags)
    name = visible(scores[0].model)
    # A label that begins with an underscore is left out of a legend.
    return f"{chr(0x200A) if name.startswith('_') else ''}{name} {mark}".rstrip()
