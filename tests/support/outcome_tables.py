"""Cells and outcomes made by hand, for tests of what is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from robustbench_eff.storage.outcomes import SCHEMA


def table(samples: int, **given: Any) -> pa.Table:
    """Outcomes with these columns; what is not given is zero, empty or unknown."""
    columns: dict[str, Any] = {field.name: np.zeros(samples) for field in SCHEMA}
    columns |= {"index": np.arange(samples), "sample_id": [f"s{row:05d}" for row in range(samples)]}
    columns |= {"texture": np.full(samples, -1), "ranking": [[]] * samples}
    columns |= {name: [""] * samples for name in ("won_by", "note", "flag")}
    columns |= given
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def cell(samples: int, perturbation: str = "none", **given: Any) -> dict[str, Any]:
    """What a store records of a cell."""
    return {
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


def attack_cell(samples: int, perturbation: str, eps: float | None, norm: str = "linf", **given: Any) -> dict[str, Any]:
    """The same of an attack."""
    configuration = {"threat": {"norm": norm, "eps": eps}} | given.pop("configuration", {})
    return cell(samples, perturbation, configuration=configuration, **given)
