"""The self-test passes here, fails where something is wrong, and keeps what the reference packages give."""

from __future__ import annotations

import warnings
from importlib.resources import files

import numpy as np
import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.diagnostics import verify
from robustbench_eff.scores import alexnet

EXACT = ("defocus_blur", "zoom_blur", "brightness", "pixelate", "jpeg_compression", "saturate")
DRAWN_NOWHERE = dict.fromkeys(EXACT, 0) | {"contrast": 1}
"""How many levels may differ. In this picture whole levels come out of contrast, and numpy's mean of a channel, rounded
as it is summed, falls below one where the exact mean does not."""


def test_everything_is_as_expected() -> None:
    found = list(verify.checks())
    assert [check for check in found if not check.good] == []
    words = " ".join(check.what for check in found)
    assert words.count("mCE of") == 12
    for what in ("shape bias of humans", "slope of objectnet", "ReaL", "fog, severity 3", "under pgd"):
        assert what in words
    result = CliRunner().invoke(app, ["verify"])
    assert (result.exit_code, "All as expected." in result.output) == (0, True)


def test_a_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """AlexNet's figures taken as they are published, and not as RobustBench has measured them."""
    published = alexnet.published()
    monkeypatch.setattr(verify, "replace", lambda normalised, errors: published)
    wrong = [check.what for check in verify.checks() if not check.good]
    assert "mCE of AlexNet, from 75 cells" in wrong
    result = CliRunner().invoke(app, ["verify"])
    assert (result.exit_code, f"{len(wrong)} are not as expected." in result.output) == (1, True)


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = verify.picture()
    monkeypatch.setattr(verify, "corrupted", lambda name: picture)
    kernels = [check for check in verify.checks() if check.what.endswith("severity 3")]
    assert len(kernels) == len(verify.kept_kernels())
    assert not any(check.good for check in kernels)


def test_what_is_kept_is_what_the_reference_package_gives() -> None:
    """Of corruptions without draws; the others are compared on the package's own draws elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imagecorruptions = pytest.importorskip("imagecorruptions")
    kept = np.load(str(files("robustbench_eff") / "facts" / "corrupted.npz"))
    for name, levels in DRAWN_NOWHERE.items():
        theirs = imagecorruptions.corrupt(verify.picture(), severity=3, corruption_name=name)
        assert np.abs(kept[name].astype(int) - np.asarray(theirs).astype(np.uint8)).max() <= levels, name
