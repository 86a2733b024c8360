"""The first lines of the report: how robust each model is, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from robustbench_eff.core.flags import AT_CHANCE, FAILED, MASKING_SUSPECTED, PARTIAL, suspects_masking
from robustbench_eff.scores.headline import ball_of, leading
from robustbench_eff.scores.score import Ball, Score

from .content import FEW, Images, images_of
from .numbers import CERTIFIED
from .wording import ball_text, count_of, interval_text, listed, unit_text, value_text

_OTHER_ENDS = (MASKING_SUSPECTED, FAILED, AT_CHANCE, *PARTIAL)
"""Flags that have a sentence of their own, or that the list of unfinished evaluations has."""


def sentences(scores: Sequence[Score]) -> list[Markup]:
    """Return sentences as HTML: one or two for each model on the same images, or for all if they are many.

    Args:
        scores: All scores of a store.
    """
    groups: dict[Images, dict[str, list[Score]]] = {}
    for score in scores:
        groups.setdefault(images_of(score), {}).setdefault(score.model, []).append(score)
    found: list[Markup] = []
    for images, by_model in groups.items():
        if len(by_model) > FEW:
            found.append(_of_many(images, by_model))
        else:
            found += [_of_one(model, images, of_model) for model, of_model in by_model.items()]
    return [sentence for sentence in found if sentence]


def _of_one(model: str, images: Images, scores: Sequence[Score]) -> Markup:
    name, benchmark = Markup("<bdi>{}</bdi>").format(model), Markup("<bdi>{}</bdi>").format(images.benchmark)
    clean = next((score for score in scores if _is_clean(score) and score.value is not None), None)
    of = Markup("") if clean is not None else Markup(" of the {} images").format(benchmark)
    parts = [] if clean is None else [Markup("{} of clean {} images").format(_strong(clean), benchmark)]
    heads = [score for score in leading(scores) if not score.protocol.smoothing]
    parts += [_attacked(score, of if place == 0 else Markup("")) for place, score in enumerate(heads)]
    means = [score for score in scores if score.metric == "mean_accuracy" and score.value is not None]
    parts += [
        Markup("{}{} on average under corruption ({})").format(_strong(score), "" if heads else of, score.perturbation)
        for score in means[:1]
    ]
    lines: list[Markup] = []
    if parts:
        rest = Markup("").join(Markup(", and {}").format(part) for part in parts[1:])
        lines.append(Markup("{} classifies {} correctly{} (n = {:,}).").format(name, parts[0], rest, _samples(scores)))
    lines += _further(name, scores, bool(lines))
    if not lines and any(score.value is not None for score in scores):
        lines.append(Markup("{} was evaluated on {}.").format(name, benchmark))
    return Markup(" ").join(lines)


def _attacked(score: Score, of: Markup) -> Markup:
    """A robust accuracy and its attacks; `of` says of which images, after a blank, where nothing has said so yet."""
    ball = ball_of(score)
    assert ball is not None
    attacks = score.protocol.attacks
    how = (
        f"the strongest of {count_of(len(attacks), 'attack')}" if attacks else f"the only attack, {score.perturbation},"
    )
    partly = "".join(f" ({flag})" for flag in score.flags if flag.startswith(PARTIAL))
    return Markup("{}{} under {} in {}{}").format(_strong(score), of, how, ball_text(ball), partly)


def _further(name: Markup, scores: Sequence[Score], introduced: bool) -> Iterator[Markup]:
    """What else a reader must know first: other kinds of numbers, missing attacks, and doubts."""
    subject = Markup("It") if introduced else name
    for score in leading(scores):
        if score.protocol.smoothing:
            yield Markup("Smoothed with noise, {} classifies {} correctly.").format(
                "it" if introduced else name, _attacked(score, Markup(" of the images"))
            )
            subject = Markup("It")
    certified = [score for score in scores if score.metric.startswith(CERTIFIED) and score.value is not None]
    positive = sorted((float(score.metric.removeprefix(CERTIFIED)), score.metric) for score in certified)
    for radius, metric in [pair for pair in positive if pair[0] > 0][:1]:
        score = next(score for score in certified if score.metric == metric)
        text = "{} is certified to be right on {} of the images within an L2 radius of {:g}."
        yield Markup(text).format(subject, _strong(score), radius)
        subject = Markup("It")
    for score in scores:
        if score.metric == "shape_bias" and score.value is not None:
            yield Markup("{} decides by shape in {} of its decisions by shape or texture.").format(
                subject, _strong(score)
            )
            subject = Markup("It")
    for score in [score for score in scores if score.metric == "mean_flip_probability" and score.value is not None][:1]:
        yield Markup("{} changes its prediction from frame to frame in {} of cases ({}).").format(
            subject, _strong(score), score.perturbation
        )
    if hardest := _hardest(scores):
        name, severity = (
            hardest.configuration.get("corruption", hardest.perturbation),
            hardest.configuration.get("severity"),
        )
        of = str(name).replace("_", " ") + (f" at severity {severity}" if severity else "")
        yield Markup("The hardest corruption measured, {}, leaves {}.").format(of, _strong(hardest))
    attacked = [score for score in scores if score.kind == "attack"]
    if introduced and not attacked and any(_is_clean(score) for score in scores):
        yield Markup("No attack was run on these images: how robust the model is against one is unknown.")
    if attacked and not leading(scores) and not _searched(scores):
        yield Markup("No attack is finished.")
    yield from _doubts([*leading(scores), *(score for score in scores if _is_clean(score))])


def _doubts(scores: Sequence[Score]) -> Iterator[Markup]:
    flags = list(dict.fromkeys(flag for score in scores for flag in score.flags))
    if suspects_masking(flags):
        checks = [flag.removeprefix(MASKING_SUSPECTED) for flag in flags if flag.startswith(MASKING_SUSPECTED)]
        text = "<strong>Gradient masking is suspected ({}): the robust accuracy may be lower.</strong>"
        yield Markup(text).format(listed(checks))
    for flag in flags:
        if flag.startswith(AT_CHANCE):
            yield Markup("<strong>The clean accuracy is {}.</strong>").format(flag.rstrip("."))
        elif not flag.startswith(_OTHER_ENDS):
            yield Markup("Note: {}.").format(flag.rstrip("."))


def _of_many(images: Images, by_model: dict[str, list[Score]]) -> Markup:
    """The best and the worst of many models, at the radius at which most of them have their headline."""
    benchmark = Markup("<bdi>{}</bdi>").format(images.benchmark)
    lines = [Markup("{} models were evaluated on {}.").format(len(by_model), benchmark)]
    leads = [score for scores in by_model.values() for score in leading(scores)]
    balls: Counter[Ball | None] = Counter(ball_of(score) for score in leads)
    if balls:
        ball = balls.most_common(1)[0][0]
        assert ball is not None
        compared = sorted((score for score in leads if ball_of(score) == ball), key=lambda score: -(score.value or 0))
        text = "Under the strongest attacks in {}, <bdi>{}</bdi> keeps most, {}, and <bdi>{}</bdi> least, {}."
        best, worst = compared[0], compared[-1]
        lines.append(Markup(text).format(ball_text(ball), best.model, _strong(best), worst.model, _strong(worst)))
        if len(compared) < len(by_model):
            left = len(by_model) - len(compared)
            lines.append(Markup("{} of them {} no number there.").format(left, "has" if left == 1 else "have"))
    else:
        lines.append(Markup("No attack on them is finished."))
    doubted = [score.model for score in leads if suspects_masking(score.flags)]
    if doubted:
        lines.append(
            Markup("<strong>Gradient masking is suspected of {}.</strong>").format(count_of(len(doubted), "model"))
        )
    return Markup(" ").join(lines)


def _strong(score: Score) -> Markup:
    interval = interval_text(score)
    text = Markup("<b>{}{}</b>").format(value_text(score), unit_text(score))
    return text + Markup(" {}").format(interval) if interval else text


def _is_clean(score: Score) -> bool:
    return score.metric == "accuracy" and score.kind == "none"


def _samples(scores: Sequence[Score]) -> int:
    main = [*leading(scores), *(score for score in scores if _is_clean(score))]
    return max(score.n for score in main or scores)


def _searched(scores: Sequence[Score]) -> bool:
    return any(score.metric.startswith("median_distance") and score.value is not None for score in scores)


def _hardest(scores: Sequence[Score]) -> Score | None:
    known = [score for score in scores if score.kind == "corruption" and score.metric == "accuracy"]
    known = [score for score in known if score.value is not None]
    return min(known, key=lambda score: score.value or 0.0, default=None)
