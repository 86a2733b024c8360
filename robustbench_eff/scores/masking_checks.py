"""Checks for gradient masking: whether a robust accuracy can be trusted, judged from stored outcomes alone.

Each check compares attacks that should agree on the same samples. A check whose attacks were not run reports that; the
suite `masking` runs the attacks of all checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from robustbench_eff.core.flags import MASKING_SUSPECTED
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

from .cell_groups import CellOutcomes, cells_with_unique_names, kind_of, subject_of
from .doubts import DOUBTED, follows_gradients, is_black_box, stalled

FindingKind = Literal["passed", "suspect", "not run"]
LARGE_EPS = {"linf": 0.5, "l2": 28.0, "l1": 1536.0}
"""Radii within which any image of 32x32 pixels can be made mid-grey, so that nothing is robust."""
COLUMNS = ("label", "clean_prediction", "correct", "num_backwards", "zero_gradients", "won_by", "flag")
"""Columns of the outcomes that the checks read."""
SUSPECT_FRACTION = 0.01
"""Fraction of the samples above which a disagreement is not attributed to chance."""
SUSPECT_GAIN = 0.05
"""The same for more steps, from which sound attacks gain a little too."""
REMEDIES: Mapping[str, str] = {
    "zero_gradients": (
        "Wrap operations without a useful gradient, such as rounding, in robustbench_eff.bpda, "
        "and compare with attacks on logits, such as square"
    ),
    "black_box": (
        "Wrap operations whose gradient misleads in robustbench_eff.bpda; until then the lower number is the better one"
    ),
    "more_steps": "Raise the steps until the number no longer falls",
    "random_outputs": "Repeat the run with --votes 100, so that every image is judged by that many votes",
}
"""What to do about a suspicion, by the name of the check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The finding of one check for a model on a benchmark."""

    model: str
    benchmark: str
    protocol: Protocol
    check: str
    finding: FindingKind
    evidence: str
    """The counts behind the finding, or the attacks that would have to be run."""
    cells: tuple[str, ...] = ()
    """Ids of the cells that were compared."""
    doubted: tuple[str, ...] = ()
    """Ids of the cells whose numbers a suspicion puts in doubt, compared or not."""

    @property
    def remedy(self) -> str:
        """What to do about a suspicion, as a sentence without its full stop; empty where nothing is suspected."""
        return REMEDIES.get(self.check, "") if self.finding == "suspect" else ""


class Finding(NamedTuple):
    """The result of a check for the cells of one model on one benchmark."""

    kind: FindingKind
    evidence: str
    cells: tuple[CellOutcomes, ...]


class _Comparison(NamedTuple):
    """Attacks that disagree."""

    samples: int
    """Number of samples on which they disagree."""
    evidence: str
    cells: tuple[CellOutcomes, ...]


def store_verdicts(store: Store, names: Mapping[str, str] | None = None) -> list[Verdict]:
    """Return the verdicts on every model and benchmark of a store.

    All cells of a model and benchmark count as evidence, also those of earlier runs; only finished ones are compared
    with each other.

    Args:
        store: The store.
        names: Ids of cells with the names of their models: only models and benchmarks with such a cell are judged,
            under these names. None for all. Two models of one name are told apart as in scores.
    """
    renamed = cells_with_unique_names(store, names)
    subjects: dict[tuple[object, ...], list[StoredCell]] = {}
    for cell in store.cells().values():
        if kind_of(cell) in ("clean", "attack", "minimum norm"):
            subjects.setdefault(subject_of(cell), []).append(cell)
    result: list[Verdict] = []
    for cells in subjects.values():
        chosen = [cell for cell in cells if names is None or cell.id in names]
        if not chosen:
            continue
        name = renamed[chosen[0].id].model
        ordered = sorted(
            cells, key=lambda cell: (cell.perturbation, cell.id)
        )  # so that ties are always decided in the same way
        evidence = [CellOutcomes(cell, store.outcomes(cell.id, COLUMNS)) for cell in ordered]
        begun = [item for item in evidence if len(item)]
        result += verdicts(begun, name) if begun else []
    return result


def verdicts(evidence: Sequence[CellOutcomes], model: str) -> list[Verdict]:
    """Return the verdicts of all checks for one model on one benchmark.

    Args:
        evidence: Cells of the model on the benchmark, clean or attacked, with at least one outcome each.
        model: Name of the model.
    """
    clean = [item for item in evidence if item.cell.kind == "none"]
    attacked = [item for item in evidence if item.cell.kind == "attack"]
    finished = [item for item in attacked if item.finished]
    taken = {"random_outputs": clean, "zero_gradients": attacked}  # their cells are judged one by one
    found = {name: check(taken.get(name, finished)) for name, check in CHECKS.items()}
    return [_verdict(name, finding, attacked, evidence[0].cell, model) for name, finding in found.items()]


def _verdict(
    check: str, finding: Finding, attacked: Sequence[CellOutcomes], subject: StoredCell, model: str
) -> Verdict:
    doubted = DOUBTED[check](finding.cells, attacked) if finding.kind == "suspect" else []
    return Verdict(
        model=model,
        benchmark=subject.benchmark,
        protocol=subject.protocol,
        check=check,
        finding=finding.kind,
        evidence=finding.evidence,
        cells=tuple(item.cell.id for item in finding.cells),
        doubted=tuple(dict.fromkeys(item.cell.id for item in doubted)),
    )


def suspicions(verdicts: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """Return a flag for every check that found something suspicious, by the id of each cell that it puts in doubt.

    Args:
        verdicts: Verdicts of any models.
    """
    flags: dict[str, list[str]] = {}
    for verdict in verdicts:
        for cell_id in verdict.doubted:
            flags.setdefault(cell_id, []).append(f"{MASKING_SUSPECTED}{verdict.check}")
    return {cell_id: tuple(dict.fromkeys(names)) for cell_id, names in flags.items()}


def zero_gradients(evidence: Sequence[CellOutcomes]) -> Finding:
    """Return whether survivors had zero gradients, which means that they were not attacked.

    Args:
        evidence: Attacks on one model and benchmark.
    """
    counted = [item for item in evidence if item.cell.attack != "transfer" and (item.column("num_backwards") > 0).any()]
    if not counted:
        return Finding("not run", "no attack with counted gradients", ())
    counts = {item.cell.id: int((stalled(item) & item.correct).sum()) for item in counted}
    worst = max(counted, key=lambda item: counts[item.cell.id])
    count, samples = counts[worst.cell.id], len(worst)
    text = f"{count} of {samples} samples survived {worst.cell.attack} with mostly zero gradients"
    return Finding(_judged(count, samples), text, (worst,))


def large_epsilon(evidence: Sequence[CellOutcomes]) -> Finding:
    """Return whether samples survived in a ball that holds a grey image, in which nothing is robust.

    Args:
        evidence: Finished attacks on one model and benchmark.
    """
    wide = [
        item
        for item in evidence
        if follows_gradients(item.cell) and LARGE_EPS.get(item.cell.norm, np.inf) <= item.cell.eps < np.inf
    ]
    if not wide:
        return Finding("not run", "no attack with gradients at a large ε, such as pgd(eps=0.5, steps=50)", ())
    survivors, samples = int(np.logical_and.reduce([item.correct for item in wide]).sum()), len(wide[0])
    text = f"{survivors} of {samples} samples survived ε = {min(item.cell.eps for item in wide):g}"
    return Finding(_judged(survivors, samples), text, tuple(wide))


def more_steps(evidence: Sequence[CellOutcomes]) -> Finding:
    """Return whether an attack still gains from more steps, which means that it had not converged.

    Args:
        evidence: Finished attacks on one model and benchmark.
    """
    pairs = list(_pairs_by_steps(evidence))
    if not pairs:
        return Finding("not run", "no attack with two numbers of steps", ())
    gains = [int(fewer.correct.sum()) - int(more.correct.sum()) for fewer, more in pairs]
    gained, (fewer, more) = max(zip(gains, pairs, strict=True), key=lambda entry: entry[0])
    samples = len(fewer)
    text = f"{more.cell.perturbation} left {max(gained, 0)} of {samples} samples fewer than with fewer steps"
    return Finding(_judged(gained, samples, SUSPECT_GAIN), text, (fewer, more))


def black_box(evidence: Sequence[CellOutcomes]) -> Finding:
    """Return whether an attack without gradients broke what attacks with gradients left in the same ball.

    Args:
        evidence: Finished attacks on one model and benchmark.
    """
    compared = [*_blind_against_seeing(evidence), *_square_within_autoattack(evidence)]
    if not compared:
        return Finding("not run", "no attack without gradients beside one with them in the same ball", ())
    worst = max(compared, key=lambda entry: entry.samples)
    return Finding(_judged(worst.samples, len(worst.cells[0])), worst.evidence, worst.cells)


def random_outputs(evidence: Sequence[CellOutcomes]) -> Finding:
    """Return whether outputs are random although the network seemed not to draw, so that one vote was taken as truth.

    Args:
        evidence: Clean cells of one model and benchmark.
    """
    if not evidence:
        return Finding("not run", "no clean cell", ())
    once = [item for item in evidence if not item.has_votes]
    if not once:
        text = f"draws at random: every image is judged by {evidence[0].cell.configuration['votes_per_image']} votes"
        return Finding("passed", text, (evidence[0],))
    random = [int(np.sum(np.array(item.outcomes["flag"].to_pylist()) == "random_output")) for item in once]
    if max(random):
        return Finding("suspect", f"{max(random)} samples got other logits when asked twice", tuple(once))
    return Finding("passed", "the same logits when asked twice", (once[0],))


CHECKS: Mapping[str, Callable[[Sequence[CellOutcomes]], Finding]] = {
    "zero_gradients": zero_gradients,
    "large_epsilon": large_epsilon,
    "more_steps": more_steps,
    "black_box": black_box,
    "random_outputs": random_outputs,
}


def _judged(count: int, samples: int, fraction: float = SUSPECT_FRACTION) -> FindingKind:
    """Return `suspect` for at least two samples that are also more than this fraction of all."""
    return "suspect" if count >= 2 and count > fraction * samples else "passed"


def _blind_against_seeing(evidence: Sequence[CellOutcomes]) -> Iterator[_Comparison]:
    """Yield the comparison of each attack without gradients with all attacks with gradients in the same ball."""
    for blind in (item for item in evidence if is_black_box(item.cell)):
        ball = (blind.cell.norm, blind.cell.eps)
        same_ball = [item for item in evidence if (item.cell.norm, item.cell.eps) == ball]
        seeing = [item for item in same_ball if follows_gradients(item.cell)]
        if seeing:
            survivors = np.logical_and.reduce([item.correct for item in seeing])
            broken = int((survivors & ~blind.correct).sum())
            text = f"{broken} of {len(survivors)} samples fell to {blind.cell.attack} and to no attack with gradients"
            yield _Comparison(broken, text, (blind, *seeing))


def _square_within_autoattack(evidence: Sequence[CellOutcomes]) -> Iterator[_Comparison]:
    """Yield the number of samples that only Square broke within AutoAttack; only in `standard` it comes last."""
    for item in evidence:
        if item.cell.attack == "autoattack" and item.cell.configuration.get("variant") == "standard":
            broken = sum(name == "square" for name in item.outcomes["won_by"].to_pylist())
            text = f"{broken} of {len(item)} samples fell only to Square within AutoAttack"
            yield _Comparison(broken, text, (item,))


def _pairs_by_steps(evidence: Sequence[CellOutcomes]) -> Iterator[tuple[CellOutcomes, CellOutcomes]]:
    """Yield the two cells with the most steps of those that differ only in the number of steps, fewer steps first."""
    groups: dict[str, list[tuple[int, CellOutcomes]]] = {}
    for item in (item for item in evidence if follows_gradients(item.cell)):
        configuration = dict(item.cell.configuration)
        for name in ("steps", "iterations"):
            if isinstance(configuration.get(name), int):
                steps = configuration.pop(name)
                key = json.dumps([item.cell.attack, item.cell.seed, configuration], sort_keys=True)
                groups.setdefault(key, []).append((steps, item))
    for members in groups.values():
        members.sort(key=lambda pair: pair[0])
        if len(members) > 1:
            yield members[-2][1], members[-1][1]
