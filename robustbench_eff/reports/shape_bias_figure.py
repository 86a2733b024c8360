"""Shape bias class by class, laid out as in the literature on cue conflict.

Source: the layout of figure 4 of Geirhos et al. 2019, arXiv:1811.12231.
Differs: the mean line of a model has a band, the 95 % interval of its shape bias.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustbench_eff.core.flags import mark_of
from robustbench_eff.core.visible_text import visible
from robustbench_eff.scores.score import Score

from .figure_style import Look, legend_below, legend_height, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_CLASS = "shape_bias of "
ROW = 0.16
"""Height of a class in inches."""


def shape_bias_figures(
    scores: Sequence[Score], of_models: Mapping[str, Look], width: float
) -> Iterator[tuple[str, Figure, list[Score]]]:
    """Yield a figure for every benchmark of cue-conflict images, with its name and the scores that it shows.

    A marker is the share of texture decisions for one shape class, a vertical line that over all trials.

    Args:
        scores: All scores.
        of_models: How each model is drawn.
        width: Width in inches.
    """
    groups: dict[tuple[str, object], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        if (score.metric == "shape_bias" or score.metric.startswith(OF_CLASS)) and score.value is not None:
            groups[score.benchmark, score.protocol.of_images()][score.model].append(score)
    for (benchmark, _), by_model in groups.items():
        shown = [score for found in by_model.values() for score in found]
        classes = sorted({_class(score) for score in shown} - {""})
        figure = new_figure(width, 0.9 + ROW * max(4, len(classes)) + legend_height(list(by_model), width))
        panel = figure.subplots()
        for model, found in by_model.items():
            look = of_models[model]
            points = {_class(score): 1 - (score.value or 0.0) for score in found if _class(score)}
            heights = [classes.index(name) for name in points]
            label = f"{visible(model)} {mark_of(flag for score in found for flag in score.flags)}".strip()
            style: dict[str, Any] = {"color": look.color, "marker": look.marker, "linestyle": "none", "clip_on": False}
            panel.plot(list(points.values()), heights, label=label, **style)
            for score in found:
                if not _class(score):
                    panel.axvline(1 - (score.value or 0.0), color=look.color, linewidth=1)
                    if score.low is not None and score.high is not None:
                        panel.axvspan(1 - score.high, 1 - score.low, color=look.color, alpha=0.12, linewidth=0)
        panel.set(xlim=(0, 1), xlabel="share of texture decisions", ylim=(len(classes) - 0.5, -0.5))
        panel.set_yticks(range(len(classes)), [visible(name) for name in classes])
        top = panel.secondary_xaxis("top", functions=(_other_share, _other_share))
        top.set_xlabel("share of shape decisions")
        legend_below(figure, panel, width)
        yield f"shape-bias-{benchmark}", figure, shown


def _other_share(share: Any) -> Any:
    return 1 - share


def _class(score: Score) -> str:
    """The shape class of a score; empty for the number over all trials."""
    return score.metric.removeprefix(OF_CLASS) if score.metric.startswith(OF_CLASS) else ""
