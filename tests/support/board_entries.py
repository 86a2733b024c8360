"""Entries of made-up models."""

from __future__ import annotations

from dataclasses import replace

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.statistics import proportion_interval
from robustbench_eff.leaderboards.entry import Cell, Entry, Provenance, Result

CELLS = {"none": "aaaa", "pgd(eps=8/255)": "bbbb"}
IMAGES = Protocol(split="test")


def counted(right: int, n: int, perturbation: str = "none", **fields: object) -> Result:
    """Return a measured proportion with its interval."""
    low, high = proportion_interval(right, n)
    metric = "accuracy" if perturbation == "none" else "robust_accuracy"
    values = {"benchmark": "digits", "protocol": IMAGES if metric == "accuracy" else replace(IMAGES, seeds=(0,))}
    values |= {"metric": metric, "perturbation": perturbation, "cell": CELLS.get(perturbation, "")}
    return Result(**{**values, "value": right / n, "low": low, "high": high, "n": n, **fields})


def measured(model: str, right: int, robust: int, n: int = 1000, **fields: object) -> Entry:
    """Return an entry with clean and robust accuracy."""
    cells = {
        name: Cell(
            benchmark="digits", perturbation=text, protocol=IMAGES, data="d", samples=n, seed=None, outcomes="0" * 32
        )
        for text, name in CELLS.items()
    }
    return Entry(
        model=model,
        measured=(counted(right, n), counted(robust, n, "pgd(eps=8/255)")),
        provenance=Provenance(source="here", weights="w", preprocessing="p", cells=cells),
        **fields,
    ).with_checksum()
