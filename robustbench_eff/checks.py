"""Gradient masking: whether a robust number deserves belief, judged from stored outcomes alone.

Each check compares what attacks that ought to agree found on the same samples. A check whose attacks were not run
says so; the suite `masking` runs them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from robustbench_eff.store import Store

Finding = Literal["passed", "suspect", "not run"]

WITHOUT_GRADIENTS = ("square", "one_pixel", "transfer")
"""Attacks that masked gradients do not hinder."""
LARGE = {"linf": 0.5, "l2": 20.0, "l1": 500.0}
"""Radii within which every small image can be made grey, so nothing can be robust."""
NOTABLE = 0.01
"""The fraction of the samples from which a disagreement is not taken for chance."""
STALLED = 0.5
"""A survivor with at least this fraction of zero gradients was not attacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check says about a model on a benchmark."""

    model: str
    benchmark: str
    check: str
    finding: Finding
    evidence: str
    """The counts it stands on, or what would have to be run."""
    cells: tuple[str, ...] = ()
    """Ids of the cells that were compared."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A cell with its outcomes."""

    id: str
    cell: Mapping[str, Any]
    outcomes: pa.Table

    @property
    def attack(self) -> str:
        """Its name; `transfer` where it was found on another model."""
        name: str = self.cell["perturbation"].partition("(")[0]
        return "transfer" if "surrogate" in self.cell["configuration"] else name

    @property
    def norm(self) -> str:
        norm: str = self.cell["configuration"]["threat"]["norm"]
        return norm

    @property
    def eps(self) -> float:
        eps = self.cell["configuration"]["threat"]["eps"]
        return float("inf") if eps is None else float(eps)

    @property
    def correct(self) -> np.ndarray:
        right: np.ndarray = self.outcomes["correct"].to_numpy(zero_copy_only=False)
        return right

    def column(self, name: str) -> np.ndarray:
        values: np.ndarray = self.outcomes[name].to_numpy()
        return values


Found = tuple[Finding, str, tuple[Evidence, ...]]


def store_verdicts(store: Store, names: Mapping[str, str] | None = None) -> list[Verdict]:
    """The verdicts on every model and benchmark of a store, or on those of the cells in `names`.

    All finished cells of a model and benchmark count as evidence, also those of earlier runs.
    """
    subjects: dict[str, list[Evidence]] = {}
    for cell_id, cell in store.cells().items():
        outcomes = store.outcomes(cell_id)
        if outcomes.num_rows == cell["samples"] and outcomes.num_rows:
            same = ("model_digest", "preprocessing", "benchmark", "protocol", "data")
            key = json.dumps([cell[name] for name in same])
            subjects.setdefault(key, []).append(Evidence(cell_id, cell, outcomes))
    wanted = [evidence for evidence in subjects.values() if names is None or any(item.id in names for item in evidence)]
    return [verdict for evidence in wanted for verdict in verdicts(evidence)]


def verdicts(evidence: Sequence[Evidence]) -> list[Verdict]:
    """All checks of one model on one benchmark, from its cells."""
    model, benchmark = evidence[0].cell["model"], evidence[0].cell["benchmark"]
    attacked = [item for item in evidence if item.cell["perturbation"] != "none"]
    clean = [item for item in evidence if item.cell["perturbation"] == "none"]
    found: list[Verdict] = []
    for name, check in CHECKS.items():
        finding, words, used = check(clean if name == "random_outputs" else attacked)
        cells = tuple(item.id for item in used)
        found.append(
            Verdict(model=model, benchmark=benchmark, check=name, finding=finding, evidence=words, cells=cells)
        )
    return found


def suspicions(verdicts: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """The checks that found something suspicious, by the id of each cell that took part."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        for cell_id in verdict.cells if verdict.finding == "suspect" else ():
            found.setdefault(cell_id, []).append(f"masking suspected: {verdict.check}")
    return {cell_id: tuple(dict.fromkeys(names)) for cell_id, names in found.items()}


def zero_gradients(evidence: Sequence[Evidence]) -> Found:
    """Survivors whose gradients were zero were not attacked."""
    asked = [item for item in evidence if (item.column("num_backwards") > 0).any()]
    if not asked:
        return "not run", "no attack with counted gradients", ()
    worst, words, of = -1, "", asked[0]
    for item in asked:
        backwards = item.column("num_backwards")
        stalled = item.correct & (backwards > 0) & (item.column("zero_gradients") >= STALLED * backwards)
        if stalled.sum() > worst:
            worst, of = int(stalled.sum()), item
            words = f"{worst} of {len(backwards)} samples survived {item.attack} with mostly zero gradients"
    return _finding(worst, len(of.outcomes)), words, (of,)


def large_epsilon(evidence: Sequence[Evidence]) -> Found:
    """Within a ball that holds a grey image nothing is robust."""
    wide = [
        item for item in _with_gradients(evidence) if np.isfinite(item.eps) and item.eps >= LARGE.get(item.norm, 1e9)
    ]
    if not wide:
        return "not run", "no attack with gradients at a large ε, such as pgd(eps=0.5, steps=50)", ()
    of = max(wide, key=lambda item: int(item.correct.sum()))
    survivors = int(of.correct.sum())
    return (
        _finding(survivors, len(of.outcomes)),
        f"{survivors} of {len(of.outcomes)} samples survived ε = {of.eps:g}",
        (of,),
    )


def more_steps(evidence: Sequence[Evidence]) -> Found:
    """An attack that still gains from more steps had not converged."""
    worst, words = -1, ""
    of: tuple[Evidence, ...] = ()
    for fewer, more in _pairs_by_steps(evidence):
        gained = int((fewer.correct & ~more.correct).sum() - (~fewer.correct & more.correct).sum())
        if gained > worst:
            worst, of = gained, (fewer, more)
            words = f"{gained} of {len(fewer.outcomes)} samples fell to {more.attack} only with more steps"
    if not of:
        return "not run", "no attack with two numbers of steps", ()
    # Even sound evaluations gain a little: only a gain of five times what is notable is a sign of masking.
    return _finding(worst, 5 * len(of[0].outcomes), least=5), words, of


def black_box(evidence: Sequence[Evidence]) -> Found:
    """An attack without gradients must not break what attacks with them left in the same ball."""
    worst, words = -1, ""
    of: tuple[Evidence, ...] = ()
    for blind in (item for item in evidence if item.attack in WITHOUT_GRADIENTS):
        seeing = [item for item in _with_gradients(evidence) if (item.norm, item.eps) == (blind.norm, blind.eps)]
        if not seeing:
            continue
        left = np.logical_and.reduce([item.correct for item in seeing])
        broken = int((left & ~blind.correct).sum())
        if broken > worst:
            worst, of = broken, (blind, *seeing)
            words = f"{broken} of {len(left)} samples fell to {blind.attack} and to no attack with gradients"
    for item in (item for item in evidence if item.attack == "autoattack"):
        broken = sum(name == "square" for name in item.outcomes["won_by"].to_pylist())
        if broken > worst:
            worst, of = broken, (item,)
            words = f"{broken} of {len(item.outcomes)} samples fell only to Square within AutoAttack"
    if not of:
        return "not run", "no attack without gradients beside one with them in the same ball", ()
    return _finding(worst, len(of[0].outcomes)), words, of


def random_outputs(evidence: Sequence[Evidence]) -> Found:
    """A network that answers the same image differently needs expectation over transformation."""
    if not evidence:
        return "not run", "no clean cell", ()
    (of,) = evidence[:1]
    random = int(np.sum(np.array(of.outcomes["flag"].to_pylist()) == "random_output"))
    if random:
        return (
            "suspect",
            f"{random} samples got other logits when asked twice: use autoattack(variant=rand)",
            tuple(evidence),
        )
    return "passed", "the same logits when asked twice", (of,)


CHECKS: Mapping[str, Callable[[Sequence[Evidence]], Found]] = {
    "zero_gradients": zero_gradients,
    "large_epsilon": large_epsilon,
    "more_steps": more_steps,
    "black_box": black_box,
    "random_outputs": random_outputs,
}


def _finding(count: int, samples: int, least: int = 2) -> Finding:
    """Suspect from two samples on that are also a notable fraction."""
    return "suspect" if count >= least and count > NOTABLE * samples else "passed"


def _with_gradients(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [item for item in evidence if item.attack not in WITHOUT_GRADIENTS]


def _pairs_by_steps(evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, Evidence]]:
    """Cells that differ only in their number of steps, the smaller number first."""
    groups: dict[str, list[tuple[int, Evidence]]] = {}
    for item in evidence:
        fields = dict(item.cell["configuration"])
        for name in ("steps", "iterations"):
            if isinstance(fields.get(name), int):
                steps = fields.pop(name)
                key = json.dumps([item.attack, item.cell["seed"], fields], sort_keys=True)
                groups.setdefault(key, []).append((steps, item))
    for members in groups.values():
        members.sort(key=lambda pair: pair[0])
        if len(members) > 1:
            yield members[0][1], members[-1][1]
