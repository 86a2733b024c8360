"""Cells and outcomes made by hand, for tests of what is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.scores.cell_groups import CellOutcomes
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.stored_cell import StoredCell


def table(samples: int, **given: Any) -> pa.Table:
    """Outcomes with these columns; the others are zero, empty or unknown."""
    columns: dict[str, Any] = {field.name: np.zeros(samples) for field in SCHEMA}
    columns |= {"index": np.arange(samples), "sample_id": [f"s{row:05d}" for row in range(samples)]}
    columns |= {"texture": np.full(samples, -1), "ranking": [[]] * samples, "votes": [[]] * samples}
    columns |= {name: [""] * samples for name in ("won_by", "note", "flag")}
    columns |= given
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def cell(samples: int, perturbation: str = "none", **given: Any) -> StoredCell:
    """A cell as a store gives it back, from a record as the store writes it."""
    record = {
        "model": "model",
        "model_source": "by hand",
        "model_digest": "digest",
        "preprocessing": "as it is",
        "benchmark": "digits",
        "protocol": f"{samples} images",
        "data": "data",
        "classes": "",
        "samples": samples,
        "perturbation": perturbation,
        "configuration": {},
        "seed": None,
    } | given
    return StoredCell.from_record(str(record.pop("id", "")), record)


def attack_cell(samples: int, perturbation: str, eps: float | None, norm: str = "linf", **given: Any) -> StoredCell:
    """The same of an attack."""
    configuration = {"threat": {"norm": norm, "eps": eps}} | given.pop("configuration", {})
    return cell(samples, perturbation, configuration=configuration, **given)


def item(of: StoredCell, outcomes: pa.Table) -> CellOutcomes:
    """A cell with its outcomes."""
    return CellOutcomes(of, outcomes)
