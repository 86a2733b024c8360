"""Measure time and memory for scoring a large store: 12 models x 75 cells x 5,000 samples."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import record
from robustbench_eff.registry.perturbation_sets import IMAGENET_C
from robustbench_eff.storage.outcomes import SCHEMA
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

CORRUPTIONS, SEVERITIES = IMAGENET_C, range(1, 6)


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--samples", type=int, default=5000)
    record.add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "store", arguments.models, arguments.samples)
        began = time.perf_counter()
        command = [str(Path(sys.executable).with_name("robust-eval")), "score", f"{folder}/store", "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    row = {
        "models": arguments.models,
        "cells_each": len(CORRUPTIONS) * len(SEVERITIES) + 1,
        "samples": arguments.samples,
        "seconds": round(seconds, 2),
        "peak_gib": round(peak, 2),
    }
    print(row)
    if arguments.out is not None:
        record.write(arguments.out, {"rows": [row]})


def write(place: Path, models: int, samples: int) -> None:
    """Write a store of `models` models on the same samples, clean and under every corruption."""
    random = np.random.Generator(np.random.PCG64(0))
    store = Store(place)
    labels, difficulty = random.integers(1000, size=samples), random.normal(size=samples)
    with store.lock():
        for model in range(models):
            skill = random.normal(1.0, 0.3)
            clean = predictions(random, labels, difficulty < skill + 0.2 * random.normal(size=samples))
            save(store, f"model{model}", "none", {}, labels, clean, clean)
            for corruption in CORRUPTIONS:
                for severity in SEVERITIES:
                    right = difficulty < skill - 0.3 * severity + 0.5 * random.normal(size=samples)
                    configuration = {"corruption": corruption, "severity": severity, "constants": "imagenet"}
                    text = f"{corruption}(severity={severity})"
                    found = predictions(random, labels, right)
                    save(store, f"model{model}", text, configuration, labels, clean, found)


def predictions(random: np.random.Generator, labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(right, labels, (labels + random.integers(1, 1000, size=len(labels))) % 1000)
    return found


def save(
    store: Store,
    model: str,
    perturbation: str,
    configuration: dict[str, Any],
    labels: np.ndarray,
    clean: np.ndarray,
    found: np.ndarray,
) -> None:
    samples = len(labels)
    record = {
        "model": model,
        "model_source": "synthetic",
        "model_digest": model,
        "preprocessing": "as it is",
        "benchmark": "imagenet-c-generated",
        "protocol": f"synthetic, {samples} images",
        "data": "synthetic",
        "classes": "",
        "samples": samples,
        "perturbation": perturbation,
        "configuration": configuration,
        "seed": 0 if configuration else None,
    }
    right = found == labels
    confidence = np.random.Generator(np.random.PCG64(samples)).uniform(size=samples)
    columns: dict[str, Any] = {field.name: np.zeros(samples) for field in SCHEMA}
    columns |= {"index": np.arange(samples), "label": labels, "texture": np.full(samples, -1)}
    columns |= {"sample_id": [f"n01440764/ILSVRC2012_val_{row:08d}.JPEG" for row in range(samples)]}
    columns |= {"clean_prediction": clean, "prediction": found, "correct": right, "correct_8bit": right}
    columns |= {"prediction_confidence": confidence, "margin": confidence, "num_forwards": np.ones(samples)}
    columns |= {name: [""] * samples for name in ("won_by", "note", "flag")} | dict.fromkeys(
        ("ranking", "votes"), [[]] * samples
    )
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    cell_id = f"{model}-{perturbation}".replace("(", "-").replace(")", "")
    store.write_cell(StoredCell.from_record(cell_id, record))
    store.write_shard(cell_id, pa.Table.from_arrays(arrays, schema=SCHEMA))


if __name__ == "__main__":
    main()
