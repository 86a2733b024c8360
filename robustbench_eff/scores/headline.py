"""The headline of every ball: its lowest robust accuracy, under all attacks in it, which the report puts first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from robustbench_eff.core import spec
from robustbench_eff.core.flags import PARTIAL

from .score import Ball, Score

NORMS = ("linf", "l2", "l1", "l0")
"""The order of balls with different norms."""
ROBUST = "robust_accuracy"
Subject: TypeAlias = tuple[object, ...]


def ball_of(score: Score) -> Ball | None:
    """Return the ball that a score is about; None for images that nobody attacked, and for searches without a radius.

    Args:
        score: The score.
    """
    if score.ball is not None or score.kind != "attack":
        return score.ball
    threat = score.configuration.get("threat")
    if threat is None:
        return None
    radius = score.metric.partition("@")[2]
    if radius:
        return Ball(str(threat["norm"]), spec.number(radius))
    limited = threat["eps"] is not None and not isinstance(score.configuration.get("eps"), list | tuple)
    return Ball(str(threat["norm"]), float(threat["eps"])) if limited else None


def subject_of(score: Score) -> Subject:
    """Return a key that is equal for scores of one classifier on the same images.

    Args:
        score: The score.
    """
    return score.model, score.benchmark, score.protocol.of_images(), score.protocol.smoothing


def headlines(scores: Sequence[Score]) -> list[bool]:
    """Return which scores are the headline of their ball.

    That is `robust_accuracy` under all attacks in the ball together; with one attack in the ball its own robust
    accuracy. A ball with several attacks that were never taken together, such as a finished and an unfinished one, does
    not have a headline: any of them may be the weaker one.

    Args:
        scores: Scores of any models.
    """
    found: dict[tuple[Subject, Ball], list[int]] = {}
    for position, score in enumerate(scores):
        ball = ball_of(score)
        if ball is not None and score.metric.partition("@")[0] == ROBUST:
            found.setdefault((subject_of(score), ball), []).append(position)
    leading: set[int] = set()
    for positions in found.values():
        together = [position for position in positions if scores[position].ball is not None]
        chosen = together if together or len(positions) > 1 else positions
        leading |= {position for position in chosen if scores[position].value is not None}
    return [position in leading for position in range(len(scores))]


def by_ball(scores: Sequence[Score]) -> list[Score]:
    """Return the scores by classifier and images: clean before attacked, then ball by ball with the headline first.

    Balls are sorted by norm and radius. Scores of searches without a radius follow the balls of their norm. Otherwise
    the order stays.

    Args:
        scores: Scores of any models.
    """
    subjects: dict[Subject, int] = {}
    keys = []
    for score, leads in zip(scores, headlines(scores), strict=True):
        subject = subjects.setdefault(subject_of(score), len(subjects))
        together = score.ball is not None
        keys.append((subject, score.kind == "attack" or together, *_ball_key(score), not (leads or together)))
    order = sorted(range(len(scores)), key=keys.__getitem__)
    return [scores[position] for position in order]


def leading(scores: Sequence[Score]) -> list[Score]:
    """Return the headline that leads the report of each classifier on the same images, without those nobody attacked.

    With several balls it is that of the radius at which most attacks ran: of the finished attacks that the headline
    counts, those of this very radius and the security curves that have it. Of equally many it is the lowest number.

    Args:
        scores: Scores of any models.
    """
    attacks: dict[tuple[Subject, Ball], int] = {}
    for score in scores:
        ball = ball_of(score)
        if ball is not None and score.ball is None and _counts(score):
            attacks[subject_of(score), ball] = attacks.get((subject_of(score), ball), 0) + 1
    found: dict[Subject, Score] = {}
    ordered = by_ball(scores)
    for score, leads in zip(ordered, headlines(ordered), strict=True):
        subject = subject_of(score)
        if leads and (subject not in found or _lead(score, attacks) > _lead(found[subject], attacks)):
            found[subject] = score
    return [*found.values()]


def _counts(score: Score) -> bool:
    """Whether a score is the robust accuracy under one attack that is finished."""
    is_robust = score.metric.partition("@")[0] == ROBUST and score.value is not None
    return is_robust and not any(flag.startswith(PARTIAL) for flag in score.flags)


def _lead(score: Score, attacks: dict[tuple[Subject, Ball], int]) -> tuple[int, float]:
    """How many attacks ran at the radius of a headline, and how low it is."""
    ball = ball_of(score)
    return (0 if ball is None else attacks.get((subject_of(score), ball), 0)), -(score.value or 0.0)


def _ball_key(score: Score) -> tuple[int, str, float]:
    """Norm and radius of a ball; infinity where an attack has no radius, and the first of all for clean images."""
    if score.kind != "attack" and score.ball is None:
        return (-1, "", 0.0)
    ball = ball_of(score) or Ball(str(score.configuration.get("threat", {}).get("norm", "")), math.inf)
    return (NORMS.index(ball.norm) if ball.norm in NORMS else len(NORMS), ball.norm, ball.eps)
