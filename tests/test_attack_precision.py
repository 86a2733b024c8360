"""The precision in which an attack was made is part of its cell, where it decides images."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_eff import evaluate
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.storage.store import Store

ROUGH = "float32 with bfloat16 gradients"


@pytest.mark.parametrize(
    ("attack", "bfloat16"),
    [
        ("pgd(eps=8/255, steps=20)", ROUGH),
        ("pgd(eps=8/255, steps=19)", "float32"),
        ("mi_fgsm(eps=8/255, steps=20)", ROUGH),
        ("bim(eps=8/255, steps=2)", "float32"),
        ("fgsm(eps=8/255)", "float32"),
        ("apgd(eps=8/255, iterations=10)", ROUGH),
        ("fab_t(eps=8/255, iterations=3)", "float32"),
        ("square(eps=8/255, queries=10)", "float32"),
    ],
)
def test_bfloat16_names_the_attacks_whose_gradients_it_gives(
    digits_standard: Classifier, tmp_path: Path, attack: str, bfloat16: str
) -> None:
    options = {"benchmarks": ["digits"], "attacks": [attack], "limit": 4, "workers": 1, "store": tmp_path / "store"}
    for precision in ("bfloat16", "float32", "float16"):
        evaluate(digits_standard, precision=precision, **options)
    found = [cell.precision for cell in Store(tmp_path / "store").cells().values() if cell.kind == "attack"]
    assert sorted(found) == sorted({bfloat16, "float32", "float16"})
