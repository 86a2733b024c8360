"""The numbers of the report: a main table for each set of images, and one table of every number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from robustbench_eff.core.flags import flag_lines, mark_of
from robustbench_eff.scores.headline import Subject, ball_of, by_ball, headlines, leading, subject_of
from robustbench_eff.scores.score import Ball, Score

from .content import FEW, Images, images_of
from .wording import NORMS, ball_text, count_of, interval_text, other_protocol, unit_text, value_text

CERTIFIED = "certified_accuracy@"
_SUMMARIES = {
    "mean_accuracy": "mean accuracy under corruptions",
    "mCE": "mCE, mean corruption error against AlexNet's",
    "mFR": "mFR, mean flip rate against AlexNet's",
    "mT5D": "mT5D, mean top-5 distance against AlexNet's",
    "mean_flip_probability": "mean flip probability over sequences of frames",
    "shape_bias": "shape bias: decisions by shape, of those by shape or texture",
    "effective_robustness": "effective robustness, in points",
    "security_curve_area": "area under the security curve",
    "average_certified_radius": "average certified L2 radius",
    "any_target_success_rate": "success of the one-pixel attack",
}
"""What the rows of the main table are called, by metric."""
_ORDER = ("mean_accuracy", "mCE", "mean_flip_probability", "mFR", "mT5D", "shape_bias", "effective_robustness")


class Number(NamedTuple):
    """A number as it is shown."""

    model: str
    value: str
    unit: str
    interval: str
    mark: str
    """† where masked gradients may have raised it, * where it has another flag."""
    fraction: float | None
    """Length of its bar, in [0, 1]; None for a number that is no accuracy."""
    low: float
    """Lower end of the interval on the bar; the value without one."""
    high: float
    n: int


class Row(NamedTuple):
    """A row of a table: what was done to the images, and the number of each model."""

    label: str
    how: str
    """The perturbation and the rest of the protocol, in small print; may be empty."""
    numbers: Sequence[Number | None]
    """One for each model of the table; None where it was not measured."""
    leads: bool = False


class Table(NamedTuple):
    """Numbers on the same images, by what was done to them and by model."""

    images: Images
    models: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str]
    """Lines that explain the marks."""
    n: int | None
    """Number of samples of every number; None if they differ."""

    @property
    def models_are_rows(self) -> bool:
        """Whether the models are too many for a column each."""
        return len(self.models) > FEW


class _Place(NamedTuple):
    """The row of a score: its place among the rows, and what it says."""

    order: tuple[object, ...]
    label: str
    how: str
    leads: bool = False


def main_tables(scores: Sequence[Score]) -> list[Table]:
    """Return the main numbers, a table for each set of images: clean, the strongest attack of each ball, and means.

    Args:
        scores: All scores of a store.
    """
    groups: dict[Images, list[tuple[_Place, Score]]] = {}
    for score, place in _placed(scores):
        groups.setdefault(images_of(score), []).append((place, score))
    return [_table(images, placed) for images, placed in groups.items()]


def every_number(scores: Sequence[Score]) -> list[Table]:
    """Return every number, a table for each set of images and model.

    Args:
        scores: All scores of a store.
    """
    groups: dict[tuple[Images, str], list[tuple[_Place, Score]]] = {}
    for position, score in enumerate(by_ball(scores)):
        label = "clean images" if score.perturbation == "none" else score.perturbation
        rest = other_protocol(score.protocol)
        how = " · ".join(part for part in (score.metric, score.detail, rest) if part)
        place = _Place((position,), label, how)
        groups.setdefault((images_of(score), score.model), []).append((place, score))
    return [_table(images, placed) for (images, _), placed in groups.items()]


def _placed(scores: Sequence[Score]) -> Iterator[tuple[Score, _Place]]:
    """The scores of the main tables with their places."""
    ordered = by_ball(scores)
    leads = {id(score) for score in leading(ordered)}
    heads = headlines(ordered)
    with_head = {(subject_of(score), ball_of(score)) for score, is_head in zip(ordered, heads, strict=True) if is_head}
    shown = _certified_radii(ordered)
    for score, is_head in zip(ordered, heads, strict=True):
        if is_head:
            yield score, _head_place(score, id(score) in leads)
        elif score.metric == "accuracy" and score.kind == "none":
            yield score, _Place((0,), "clean images", other_protocol(score.protocol))
        elif score.metric.partition("@")[0] == "robust_accuracy":
            if (subject_of(score), ball_of(score)) not in with_head:
                order = (1, *_ball_order(ball_of(score)), 1, score.perturbation)
                yield score, _Place(order, score.perturbation, other_protocol(score.protocol))
        elif score.metric in _SUMMARIES or score.metric.startswith("median_distance") or id(score) in shown:
            yield score, _summary_place(score)


def _ball_order(ball: Ball | None) -> tuple[object, ...]:
    """Balls by norm and radius, what has no ball last."""
    norms = list(NORMS)
    if ball is None:
        return len(norms) + 1, ""
    return norms.index(ball.norm) if ball.norm in norms else len(norms), f"{ball.eps:020.9f}"


def _head_place(score: Score, leads: bool) -> _Place:
    ball = ball_of(score)
    assert ball is not None
    rest = other_protocol(score.protocol)
    how = rest if score.protocol.attacks else " · ".join(part for part in (score.perturbation, rest) if part)
    strongest = (
        f"strongest of {count_of(len(score.protocol.attacks), 'attack')}" if score.protocol.attacks else "attack"
    )
    smoothed = " on the smoothed classifier" if score.protocol.smoothing else ""
    return _Place((1, *_ball_order(ball), 0), f"{ball_text(ball)}: {strongest}{smoothed}", how, leads)


def _summary_place(score: Score) -> _Place:
    """The place of a number that is neither clean nor robust accuracy."""
    rest = other_protocol(score.protocol)
    name = score.perturbation if score.perturbation != "none" else ""
    how = " · ".join(part for part in (name, rest) if part)
    if score.metric.startswith(CERTIFIED):
        return _Place((1, "~", score.metric), f"certified within L2 {score.metric.removeprefix(CERTIFIED)}", how)
    if score.metric.startswith("median_distance"):
        norm = score.metric.removeprefix("median_distance_")
        norm = NORMS.get(norm, norm)
        return _Place((4, norm, name), f"median {norm} distance of the closest adversarial image", how)
    order = _ORDER.index(score.metric) if score.metric in _ORDER else len(_ORDER)
    return _Place((2, order, score.metric, name), _SUMMARIES[score.metric], how)


def _certified_radii(scores: Sequence[Score]) -> set[int]:
    """The certified accuracies that the main table shows: at the smallest radius above 0 of each model."""
    found: dict[Subject, Score] = {}
    for score in scores:
        if score.metric.startswith(CERTIFIED) and float(score.metric.removeprefix(CERTIFIED)) > 0:
            best = found.setdefault(subject_of(score), score)
            if float(score.metric.removeprefix(CERTIFIED)) < float(best.metric.removeprefix(CERTIFIED)):
                found[subject_of(score)] = score
    return {id(score) for score in found.values()}


def _table(images: Images, placed: Sequence[tuple[_Place, Score]]) -> Table:
    models = list(dict.fromkeys(score.model for _, score in placed))
    rows: dict[tuple[str, str], dict[str, tuple[_Place, Score]]] = {}
    orders: dict[tuple[str, str], tuple[str, ...]] = {}
    for place, score in placed:
        key = place.label, place.how
        rows.setdefault(key, {}).setdefault(score.model, (place, score))
        orders.setdefault(key, _sortable(place.order))
    keys = sorted(rows, key=orders.__getitem__)
    if len(models) > FEW:
        models = _by_strength(models, [rows[key] for key in keys])
    flags = {
        (f"{model}, {label}" if len(models) > 1 else label, ""): score.flags
        for label, how in keys
        for model, (_, score) in rows[label, how].items()
    }
    counts = {score.n for _, score in placed if score.value is not None}
    return Table(
        images=images,
        models=models,
        rows=[
            Row(
                label=key[0],
                how=key[1],
                numbers=[number(rows[key][model][1]) if model in rows[key] else None for model in models],
                leads=any(place.leads for place, _ in rows[key].values()),
            )
            for key in keys
        ],
        notes=flag_lines({name: of for name, of in flags.items() if of}) if any(flags.values()) else [],
        n=counts.pop() if len(counts) == 1 else None,
    )


def _sortable(order: tuple[object, ...]) -> tuple[str, ...]:
    """A key that compares numbers as numbers and texts as texts."""
    return tuple(f"{part:09d}" if isinstance(part, int) else str(part) for part in order)


def _by_strength(models: list[str], rows: Sequence[dict[str, tuple[_Place, Score]]]) -> list[str]:
    """Models by their number in the row that leads, the best first; then those without one, in their order."""
    chosen = max(rows, key=lambda row: (sum(place.leads for place, _ in row.values()), len(row)))

    def strength(model: str) -> float:
        score = chosen[model][1] if model in chosen else None
        return float("inf") if score is None or score.value is None else -score.value

    return sorted(models, key=strength)


def number(score: Score) -> Number:
    """Return a score as the report shows it.

    Args:
        score: The score.
    """
    is_share = score.definition.unit == "fraction" and score.definition.low == 0.0 and score.definition.high == 1.0
    value = score.value
    has_bar = is_share and score.higher_is_better and value is not None
    return Number(
        model=score.model,
        value=value_text(score),
        unit=unit_text(score),
        interval=interval_text(score),
        mark=mark_of(score.flags),
        fraction=value if has_bar else None,
        low=0.0 if value is None else value if score.low is None else score.low,
        high=0.0 if value is None else value if score.high is None else score.high,
        n=score.n,
    )


def protocol_line(images: Images) -> str:
    """Return which images a table is about.

    Args:
        images: The images.
    """
    return " · ".join(part for part in (images.benchmark, str(images.protocol)) if part)
