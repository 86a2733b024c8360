"""Write the golden counts again: python tests/golden/renew.py."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from robustbench_eff import evaluate

HERE = Path(__file__).parent

ATTACKS = (
    "fgsm(eps=1, norm=l2)",
    "fgsm(eps=60, norm=l1)",
    "r_fgsm(eps=10/255)",
    "bim(eps=8/255)",
    "bim(eps=16, norm=l1)",
    "mi_fgsm(eps=8/255)",
    "pgd(eps=16, norm=l1, steps=20)",
    "apgd(eps=8/255, iterations=20)",
    "apgd(eps=8/255, iterations=20, loss=dlr)",
    "apgd(eps=1, norm=l2, iterations=20)",
    "apgd(eps=12, norm=l1, iterations=20)",
    "apgd_t(eps=8/255, iterations=10)",
    "apgd_t(eps=1, norm=l2, iterations=10)",
    "apgd_t(eps=12, norm=l1, iterations=10)",
    "fab(eps=8/255, iterations=10)",
    "fab_t(eps=8/255, iterations=10)",
    "fab_t(eps=1, norm=l2, iterations=10)",
    "fab_t(eps=12, norm=l1, iterations=10)",
    "fmn(eps=8/255, steps=30)",
    "fmn(eps=1, norm=l2, steps=30)",
    "fmn(eps=12, norm=l1, steps=30)",
    "carlini_wagner(eps=1, binary_search_steps=2, iterations=40)",
    "square(eps=32/255, queries=200)",
    "square(eps=4, norm=l2, queries=200)",
    "square(eps=24, norm=l1, queries=200)",
    "one_pixel(pixels=120, population=40, generations=10)",
)
"""Each kernel in each norm, cheaply, at radii where some samples of 60 stay right and some do not."""


KINDS = ("accuracy", "robust_accuracy", "robust_accuracy_8bit")


def of_the_suite(store: Path) -> dict[str, int]:
    """How many of all samples stay right in the suite `standard`, by perturbation and metric."""
    return _counts(evaluate("digits_standard", suite="standard", store=store).scores)


def of_the_attacks(store: Path) -> dict[str, int]:
    """How many of 60 samples each of ATTACKS leaves right."""
    return _counts(evaluate("digits_standard", attacks=ATTACKS, limit=60, precision="float32", store=store).scores)


def _counts(scores) -> dict[str, int]:
    single = [score for score in scores if score.metric in KINDS and not score.perturbation.startswith("worst of")]
    return {f"{score.perturbation} {score.metric}": round(score.value * score.n) for score in single}


FILES = {"digits_standard.json": of_the_suite, "attacks.json": of_the_attacks}

if __name__ == "__main__":
    for name, counts in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            (HERE / name).write_text(json.dumps(counts(Path(folder)), indent=2) + "\n")
