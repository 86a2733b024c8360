"""Which scores of a run or of a store a requirement is about."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from robustbench_eff.core import spec
from robustbench_eff.core.errors import RobustEvalError, UsageError, did_you_mean
from robustbench_eff.storage.stored_cell import CLEAN, StoredCell

from .headline import ROBUST, Subject, ball_of, headlines, subject_of
from .requirement import WORST_CASE, Requirement, canonical_text, names_several
from .score import Ball, Score

MAIN = ("accuracy", ROBUST, "mean_accuracy")
"""Metrics of which a perturbation alone names the one that it has."""
LISTED = 30
"""Most names of a kind that a message lists."""
UNLIKE = 1e-4
"""Relative difference of numbers that are written differently and are two, not one that was rounded."""
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:e[-+]?\d+)?(?:/\d+)?", re.IGNORECASE)


class RequiredRow(NamedTuple):
    """A score that a requirement is about."""

    score: Score
    lacks: str = ""
    """Why there is no such number, although others of this model have to do with it; empty where there is one."""


def required_rows(requirement: Requirement, scores: Sequence[Score]) -> list[RequiredRow]:
    """Return the scores that a requirement is about, at least one.

    A model of which there is no such number, though there is one of another model, has a row that says so.

    Args:
        requirement: The requirement.
        scores: All scores of a run or a store.

    Raises:
        UsageError: It is about none of them; the message lists what there is.
    """
    of_models = _in_scope(requirement, scores)
    rows = _matching(requirement, of_models)
    if not rows:
        raise UsageError(f"No number is what {requirement.text!r} requires.", _what_there_is(requirement, of_models))
    found = {row.score.model for row in rows}
    others = {score.model: score for score in of_models if score.model not in found}
    what = requirement.metric or str(requirement.perturbation)
    return rows + [
        RequiredRow(replace(score, value=None, low=None, high=None, flags=()), f"no {what} was measured of this model")
        for score in others.values()
    ]


def check_planned(requirement: Requirement, cells: Sequence[StoredCell]) -> None:
    """Refuse a requirement before a run that will not measure it; whether a metric will exist is known afterwards.

    Args:
        requirement: The requirement.
        cells: All cells of the run.

    Raises:
        UsageError: It names another model, benchmark or perturbation than those of the run.
    """
    _check_name("model", requirement.model, [cell.model for cell in cells])
    _check_name("benchmark", requirement.benchmark, [cell.benchmark for cell in cells])
    of_models = [cell for cell in cells if _names(requirement, cell.model, cell.benchmark)]
    text = requirement.perturbation
    if text is None or names_several(text):
        return
    if text.startswith(WORST_CASE):
        is_planned = any(_lies_in(text, ball) for cell in of_models for ball in _balls(cell))
    else:
        texts = [cell.perturbation for cell in of_models]
        is_planned = any(map(_named(text, texts), texts)) or text in {name.partition("(")[0] for name in texts}
    if not is_planned:
        planned = dict.fromkeys(_shown(cell.perturbation) for cell in of_models)
        raise UsageError(f"This run does not measure what {requirement.text!r} requires.", _listed("It runs", planned))


def _in_scope(requirement: Requirement, scores: Sequence[Score]) -> list[Score]:
    _check_name("model", requirement.model, [score.model for score in scores])
    _check_name("benchmark", requirement.benchmark, [score.benchmark for score in scores])
    return [score for score in scores if _names(requirement, score.model, score.benchmark)]


def _names(requirement: Requirement, model: str, benchmark: str) -> bool:
    """Whether a requirement is about a model on a benchmark; one name may stand for several models that bear it."""
    of_model = requirement.model in (None, model, _without_mark(model))
    return of_model and requirement.benchmark in (None, benchmark)


def _without_mark(model: str) -> str:
    """The name without the digits that tell models of one name apart."""
    return re.sub(r" #[0-9a-f]{6}$", "", model)


def _check_name(what: str, name: str | None, names: Iterable[str]) -> None:
    known = dict.fromkeys(names)
    if name is not None and name not in {*known, *map(_without_mark, known)}:
        hint = f"{did_you_mean(name, known)}\n{_listed('There is', known)}".strip()
        raise UsageError(f"A requirement is about a {what} {name!r}, of which there is no number.", hint)


def _matching(requirement: Requirement, scores: Sequence[Score]) -> list[RequiredRow]:
    text = requirement.perturbation
    if text is not None and text.startswith(WORST_CASE):
        return _worst_cases(requirement, text, scores)
    if text is not None:
        is_named = _named(text, [score.perturbation for score in scores])
        scores = [score for score in scores if is_named(score.perturbation)]
    return [RequiredRow(score) for score in scores if _has_metric(requirement, score)]


def _has_metric(requirement: Requirement, score: Score) -> bool:
    if requirement.metric is None:
        return score.metric in MAIN
    return _is_same(requirement.metric, score.metric)


def _worst_cases(requirement: Requirement, text: str, scores: Sequence[Score]) -> list[RequiredRow]:
    """The number under all attacks together in every ball that is asked for; a row without one where it is unknown."""
    if requirement.metric not in (None, ROBUST):
        of_balls = [score for score in scores if _has_metric(requirement, score) and score.ball is not None]
        return [RequiredRow(score) for score in of_balls if _lies_in(text, score.ball)]
    groups: dict[tuple[Subject, Ball], list[tuple[Score, bool]]] = {}
    for score, leads in zip(scores, headlines(scores), strict=True):
        ball = ball_of(score)
        if ball is not None and score.metric.partition("@")[0] == ROBUST and _lies_in(text, ball):
            groups.setdefault((subject_of(score), ball), []).append((score, leads))
    rows: list[RequiredRow] = []
    for (_, ball), of_ball in groups.items():
        leading = [RequiredRow(score) for score, leads in of_ball if leads]
        worst = f"{WORST_CASE}(norm={ball.norm}, eps={spec.literal(ball.eps)})"
        unknown = replace(of_ball[0][0], perturbation=worst, value=None, low=None, high=None, flags=())
        names = ", ".join(score.perturbation for score, _ in of_ball)
        rows += leading or [RequiredRow(unknown, f"not all attacks in this ball are finished: {names}")]
    return rows


def _balls(cell: StoredCell) -> list[Ball]:
    """The balls in which a cell will have a robust accuracy."""
    if cell.kind != "attack":
        return []
    radii = cell.radii or (() if math.isinf(cell.eps) else (cell.eps,))
    return [Ball(cell.norm, eps) for eps in radii]


def _lies_in(text: str, ball: Ball | None) -> bool:
    """Whether a ball is one of those that `worst_case(norm=..., eps=...)` names; without fields it names all."""
    asked = spec.parse(text).arguments
    if ball is None or asked.get("norm", ball.norm) != ball.norm:
        return False
    return "eps" not in asked or _is_same(f"{asked['eps']!r}", f"{ball.eps!r}")


def _named(text: str, stored: Iterable[str]) -> Callable[[str], bool]:
    """Which stored texts a text stands for: those with the same fields, or else those that differ by rounding."""
    try:
        wanted = canonical_text(text)
    except RobustEvalError:  # the name of several perturbations, or one of a plugin or a file that is not here
        wanted = text
    exact = {_squeezed(wanted), _squeezed(text)}
    if any(_squeezed(other) in exact for other in stored):
        return lambda other: _squeezed(other) in exact
    return lambda other: _is_same(wanted, other)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _is_same(text: str, other: str) -> bool:
    """Whether two texts are equal except for how their numbers are written or rounded; whole ones are not rounded."""
    one, two = _squeezed(text), _squeezed(other)
    if one == two:
        return True
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", two):
        return False
    return all(map(_is_same_number, _NUMBER.findall(one), _NUMBER.findall(two)))


def _is_same_number(text: str, other: str) -> bool:
    if text.isdecimal() and other.isdecimal():
        return int(text) == int(other)
    try:
        return math.isclose(spec.number(text), spec.number(other), rel_tol=UNLIKE)
    except RobustEvalError:  # a fraction of 0
        return False


def _what_there_is(requirement: Requirement, scores: Sequence[Score]) -> str:
    """The perturbations, or of a perturbation that has no accuracy of its own its metrics."""
    text = requirement.perturbation
    if text is not None:
        is_named = _named(text, [score.perturbation for score in scores])
        metrics = dict.fromkeys(score.metric for score in scores if is_named(score.perturbation))
        if metrics:
            return _listed(f"Name one of its metrics, as METRIC({_shown(text)})", metrics)
    perturbations = dict.fromkeys(_shown(score.perturbation) for score in scores)
    metrics = dict.fromkeys(score.metric for score in scores)
    return "\n".join([_listed("Perturbations", perturbations), _listed("Metrics", metrics)])


def _shown(perturbation: str) -> str:
    return "clean" if perturbation == CLEAN else perturbation


def _listed(what: str, names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return f"{what}: {', '.join(found[:LISTED]) or 'nothing'}{more}."
