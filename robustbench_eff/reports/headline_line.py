"""The first lines of a report: the number that leads, for each model and benchmark that was attacked."""

from __future__ import annotations

from collections.abc import Sequence

from robustbench_eff.core import spec
from robustbench_eff.scores.headline import ball_of, by_ball, headlines, leading, subject_of
from robustbench_eff.scores.number_text import interval, percent
from robustbench_eff.scores.overview import perturbation
from robustbench_eff.scores.score import Score

OTHERS_NAMED = 3
"""Other balls whose headlines the sentence names."""


def headline_lines(scores: Sequence[Score]) -> list[str]:
    """Return a sentence for each model and benchmark that was attacked, with the flags of its numbers.

    The headline of the radius at which most attacks ran comes first, then clean accuracy, then the other balls.

    Args:
        scores: All scores of a report.
    """
    ordered = by_ball(scores)
    heads = [score for score, leads in zip(ordered, headlines(ordered), strict=True) if leads]
    lines = []
    for score in leading(ordered):
        subject = subject_of(score)
        clean = [
            other
            for other in ordered
            if (other.metric, other.kind, subject_of(other)) == ("accuracy", "none", subject)
            and other.value is not None
        ][:1]
        others = [other for other in heads if other is not score and subject_of(other) == subject]
        parts = [f"robust accuracy {_text(score)} ({perturbation(score)})", *(f"clean {_text(of)}" for of in clean)]
        sentences = [f"{score.model} on {score.benchmark}: {', '.join(parts)}, n = {score.n}."]
        if others:
            more = len(others) - OTHERS_NAMED
            named = ", ".join(f"{_ball(other)} {_text(other)}" for other in others[:OTHERS_NAMED])
            sentences.append(f"Other balls: {named}{f' and {more} more below' if more > 0 else ''}.")
        named_scores = (score, *clean, *others[:OTHERS_NAMED])
        flags = dict.fromkeys(flag for of_one in named_scores for flag in of_one.flags)
        lines.append(" ".join([*sentences, *([f"Flags: {'; '.join(flags)}."] if flags else [])]))
    return lines


def _text(score: Score) -> str:
    return f"{percent(score.value)} % {interval(score, 1)}"


def _ball(score: Score) -> str:
    ball = ball_of(score)
    return "" if ball is None else f"{ball.norm} {spec.literal(ball.eps)}"
