"""The picture shows clean image, adversarial image and their difference, and only successes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from robustbench_eff import evaluate
from robustbench_eff.evaluation.gallery import Sample, picture
from robustbench_eff.storage.outcomes import as_numpy
from robustbench_eff.storage.picture import Pictured, samples
from robustbench_eff.storage.store import Store


def test_a_picture_holds_what_was_changed_times_ten() -> None:
    clean = np.full((50, 50, 3), 0.5, np.float32)
    perturbed = clean.copy()
    perturbed[:25] += 0.02
    sheet = np.asarray(Image.open(io.BytesIO(picture([Sample(clean, perturbed, Pictured(17, 3, 5))]))))
    tile = slice(4, 104)
    assert (sheet[tile, tile] == 128).all()
    assert sheet[108:158, tile].mean() == 133
    assert sheet[212 + 10, 50].tolist() == [178] * 3
    assert sheet[212 + 90, 50].tolist() == [128] * 3
    assert (sheet[-14:] < 255).any(), "the caption"


def test_every_attack_with_successes_has_a_picture_and_the_clean_cell_none(tmp_path: Path) -> None:
    attacks = ("pgd(eps=16/255)", "pgd(eps=0.1/255)")
    evaluate("digits_standard", attacks=attacks, limit=24, store=tmp_path / "store")
    pictures = list((tmp_path / "store").glob("cells/*/gallery.png"))
    assert len(pictures) == 1
    assert Image.open(pictures[0]).width > 8 * 96


def test_a_picture_says_which_samples_it_shows(tmp_path: Path) -> None:
    evaluate("digits_standard", attacks=("fgsm(eps=16/255)",), limit=24, store=tmp_path / "store")
    store = Store.existing(tmp_path / "store")
    (cell_id,) = (cell_id for cell_id, cell in store.cells().items() if cell.kind == "attack")
    rows = store.outcomes(cell_id)
    content = store.picture(cell_id)
    assert content is not None and samples(content)
    for sample in samples(content):
        (place,) = np.flatnonzero(as_numpy(rows["index"]) == sample.position)
        row = rows.slice(int(place), 1).to_pylist()[0]
        assert (row["label"], row["prediction"], row["correct"]) == (sample.label, sample.prediction, False)


def test_a_picture_of_an_earlier_version_names_no_samples() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    assert samples(buffer.getvalue()) == []
