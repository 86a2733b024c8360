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

from robustbench_eff.storage.store import Store

from .cell_groups import CellOutcomes, subject_of

Finding = Literal["passed", "suspect", "not run"]

WITH_GRADIENTS = ("apgd", "apgd_t", "autoattack", "bim", "fab", "fab_t", "fmn", "mi_fgsm", "pgd", "security_curve")
"""Attacks that follow gradients for many steps: what a masked network hinders."""
WITHOUT_GRADIENTS = ("square", "one_pixel", "transfer", "autoattack:square")
"""Attacks that it does not."""
LARGE_EPS = {"linf": 0.5, "l2": 28.0, "l1": 1536.0}
"""Radii within which any image of 32x32 pixels can be made mid-grey, so that nothing is robust."""
COLUMNS = ("correct", "num_backwards", "zero_gradients", "won_by", "flag")
"""What the checks look at."""
SUSPECT_FRACTION = 0.01
"""The fraction of the samples from which a disagreement is not taken for chance."""
SUSPECT_GAIN = 0.05
"""The same for more steps, with which sound attacks gain a little too."""
ZERO_GRADIENT_FRACTION = 0.5
"""A survivor with at least this fraction of zero gradients was not attacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check says about a model on a benchmark."""

    model: str
    benchmark: str
    protocol: str
    check: str
    finding: Finding
    evidence: str
    """The counts it stands on, or what would have to be run."""
    cells: tuple[str, ...] = ()
    """Ids of the cells that were compared."""


Found = tuple[Finding, str, tuple[CellOutcomes, ...]]


def store_verdicts(store: Store, names: Mapping[str, str] | None = None) -> list[Verdict]:
    """The verdicts on every model and benchmark of a store; with `names` on those whose cells it names.

    `names` gives model names by cell id. All finished cells of a model and benchmark count as evidence, also those
    of earlier runs; only they are read.
    """
    subjects: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for cell_id, cell in store.cells().items():
        if cell["perturbation"] != "none" and "threat" not in cell["configuration"]:
            continue
        subjects.setdefault(subject_of(cell), {})[cell_id] = cell
    found: list[Verdict] = []
    for cells in subjects.values():
        mine = [cell_id for cell_id in cells if names is None or cell_id in names]
        if not mine:
            continue
        name = cells[mine[0]]["model"] if names is None else names[mine[0]]
        ordered = sorted(cells.items(), key=lambda item: (item[1]["perturbation"], item[0]))  # ties are decided alike
        evidence = [CellOutcomes(cell_id, cell, store.outcomes(cell_id, COLUMNS)) for cell_id, cell in ordered]
        finished = [item for item in evidence if item.finished]
        found += verdicts(finished, name) if finished else []
    return found


def verdicts(evidence: Sequence[CellOutcomes], model: str) -> list[Verdict]:
    """All checks of one model on one benchmark, from its cells."""
    cell = evidence[0].cell
    clean = [item for item in evidence if item.cell["perturbation"] == "none"]
    attacked = [item for item in evidence if "threat" in item.cell["configuration"]]
    found: list[Verdict] = []
    for name, check in CHECKS.items():
        finding, words, used = check(clean if name == "random_outputs" else attacked)
        found.append(
            Verdict(
                model=model,
                benchmark=cell["benchmark"],
                protocol=cell["protocol"],
                check=name,
                finding=finding,
                evidence=words,
                cells=tuple(item.id for item in used),
            )
        )
    return found


def suspicions(verdicts: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """The checks that found something suspicious, by the id of each cell that took part."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        for cell_id in verdict.cells if verdict.finding == "suspect" else ():
            found.setdefault(cell_id, []).append(f"masking suspected: {verdict.check}")
    return {cell_id: tuple(dict.fromkeys(names)) for cell_id, names in found.items()}


def zero_gradients(evidence: Sequence[CellOutcomes]) -> Found:
    """Survivors whose gradients were zero were not attacked."""
    asked = [item for item in evidence if item.attack != "transfer" and (item.column("num_backwards") > 0).any()]
    if not asked:
        return "not run", "no attack with counted gradients", ()
    stalled = {item.id: int(_stalled(item).sum()) for item in asked}
    of = max(asked, key=lambda item: stalled[item.id])
    count, samples = stalled[of.id], len(of.outcomes)
    words = f"{count} of {samples} samples survived {of.attack} with mostly zero gradients"
    return _finding(count, samples), words, (of,)


def large_epsilon(evidence: Sequence[CellOutcomes]) -> Found:
    """Within a ball that holds a grey image nothing is robust, if the attacks are taken together."""
    wide = [
        item
        for item in evidence
        if item.attack in WITH_GRADIENTS and LARGE_EPS.get(item.norm, np.inf) <= item.eps < np.inf
    ]
    if not wide:
        return "not run", "no attack with gradients at a large ε, such as pgd(eps=0.5, steps=50)", ()
    survivors = int(np.logical_and.reduce([item.correct for item in wide]).sum())
    samples = len(wide[0].outcomes)
    words = f"{survivors} of {samples} samples survived ε = {min(item.eps for item in wide):g}"
    return _finding(survivors, samples), words, tuple(wide)


def more_steps(evidence: Sequence[CellOutcomes]) -> Found:
    """An attack that still gains from more steps had not converged."""
    pairs = list(_pairs_by_steps(evidence))
    if not pairs:
        return "not run", "no attack with two numbers of steps", ()
    gains = [int(fewer.correct.sum()) - int(more.correct.sum()) for fewer, more in pairs]
    gained, (fewer, more) = max(zip(gains, pairs, strict=True), key=lambda entry: entry[0])
    samples = len(fewer.outcomes)
    words = f"{more.cell['perturbation']} left {max(gained, 0)} of {samples} samples fewer than with fewer steps"
    return _finding(gained, samples, SUSPECT_GAIN), words, (fewer, more)


def black_box(evidence: Sequence[CellOutcomes]) -> Found:
    """An attack without gradients must not break what attacks with them left in the same ball."""
    compared: list[tuple[int, str, tuple[CellOutcomes, ...]]] = []
    for blind in (item for item in evidence if item.attack in WITHOUT_GRADIENTS):
        same_ball = [item for item in evidence if (item.norm, item.eps) == (blind.norm, blind.eps)]
        seeing = [item for item in same_ball if item.attack in WITH_GRADIENTS]
        if seeing:
            left = np.logical_and.reduce([item.correct for item in seeing])
            broken = int((left & ~blind.correct).sum())
            words = f"{broken} of {len(left)} samples fell to {blind.attack} and to no attack with gradients"
            compared.append((broken, words, (blind, *seeing)))
    for item in evidence:  # Square comes last in `standard` only
        if item.attack == "autoattack" and item.cell["configuration"].get("variant") == "standard":
            broken = sum(name == "square" for name in item.outcomes["won_by"].to_pylist())
            words = f"{broken} of {len(item.outcomes)} samples fell only to Square within AutoAttack"
            compared.append((broken, words, (item,)))
    if not compared:
        return "not run", "no attack without gradients beside one with them in the same ball", ()
    broken, words, used = max(compared, key=lambda entry: entry[0])
    return _finding(broken, len(used[0].outcomes)), words, used


def random_outputs(evidence: Sequence[CellOutcomes]) -> Found:
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


CHECKS: Mapping[str, Callable[[Sequence[CellOutcomes]], Found]] = {
    "zero_gradients": zero_gradients,
    "large_epsilon": large_epsilon,
    "more_steps": more_steps,
    "black_box": black_box,
    "random_outputs": random_outputs,
}


def _finding(count: int, samples: int, notable: float = SUSPECT_FRACTION) -> Finding:
    """Suspect from two samples on that are also a notable fraction."""
    return "suspect" if count >= 2 and count > notable * samples else "passed"


def _stalled(item: CellOutcomes) -> np.ndarray:
    backwards = item.column("num_backwards")
    stalled: np.ndarray = (
        item.correct & (backwards > 0) & (item.column("zero_gradients") >= ZERO_GRADIENT_FRACTION * backwards)
    )
    return stalled


def _pairs_by_steps(evidence: Sequence[CellOutcomes]) -> Iterator[tuple[CellOutcomes, CellOutcomes]]:
    """Cells that differ only in their number of steps: the two with the most, the smaller number first."""
    groups: dict[str, list[tuple[int, CellOutcomes]]] = {}
    for item in (item for item in evidence if item.attack in WITH_GRADIENTS):
        fields = dict(item.cell["configuration"])
        for name in ("steps", "iterations"):
            if isinstance(fields.get(name), int):
                steps = fields.pop(name)
                key = json.dumps([item.attack, item.cell["seed"], fields], sort_keys=True)
                groups.setdefault(key, []).append((steps, item))
    for members in groups.values():
        members.sort(key=lambda pair: pair[0])
        if len(members) > 1:
            yield members[-2][1], members[-1][1]
