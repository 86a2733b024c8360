"""The self-test passes here, detects errors, skips rows without a reference, and agrees with the reference packages."""

from __future__ import annotations

import warnings
from importlib.resources import files

import numpy as np
import pytest
from typer.testing import CliRunner

from robustbench_eff.cli.main import app
from robustbench_eff.diagnostics import verify
from robustbench_eff.diagnostics.verify import Check, Status
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.scores import alexnet

EXACT = ("defocus_blur", "zoom_blur", "brightness", "pixelate", "jpeg_compression", "saturate")
DETERMINISTIC = dict.fromkeys(EXACT, 0) | {"contrast": 1}
"""How many levels may differ. In this picture whole levels come out of contrast, and numpy's mean of a channel, rounded
as it is summed, falls below one where the exact mean does not."""


def with_status(status: Status, checks: list[Check]) -> list[str]:
    return [check.subject for check in checks if check.status is status]


def stored_references() -> dict[str, np.ndarray]:
    return dict(np.load(str(files("robustbench_eff") / "facts" / "corrupted.npz")))


def without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out kernels and attacks, which take most of the time."""
    monkeypatch.setattr(verify, "_kernels", lambda: iter(()))
    monkeypatch.setattr(verify, "_attacks", lambda: iter(()))


def test_everything_is_as_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = list(verify.checks())
    assert with_status(Status.FAILED, checks) == []
    assert with_status(Status.SKIPPED, checks) == [
        f"{name}, severity 3" for name in CORRUPTIONS if name in verify.NEEDS_PUBLISHED_PICTURES
    ]
    subjects = " ".join(check.subject for check in checks)
    assert subjects.count("mCE of") == 12
    for subject in ("shape bias of humans", "slope of objectnet", "ReaL", "fog, severity 3", "under pgd"):
        assert subject in subjects
    monkeypatch.setattr(verify, "checks", lambda: iter(checks))
    result = CliRunner().invoke(app, ["verify"])
    assert (result.exit_code, "All checks passed." in result.output) == (0, True)


def test_a_reference_is_stored_for_every_corruption_that_needs_no_files() -> None:
    assert set(stored_references()) == set(verify.referenced_corruptions())


def test_a_corruption_without_a_reference_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new row, of the package or of a plugin, is neither a crash nor a failure."""
    monkeypatch.setattr(verify, "CORRUPTIONS", {"fog": CORRUPTIONS["fog"], "acme/rain": CORRUPTIONS["fog"]})
    monkeypatch.setattr(verify, "_attacks", lambda: iter(()))
    checks = [check for check in verify.checks() if check.subject == "acme/rain, severity 3"]
    assert checks == [Check("acme/rain, severity 3", "", "no reference is stored", Status.SKIPPED)]
    result = CliRunner().invoke(app, ["verify"])
    assert result.exit_code == 0
    assert "All checks passed." in result.output
    assert "Skipped for lack of a stored reference: 1." in result.output
    (line,) = (line for line in result.output.splitlines() if "acme/rain" in line)
    assert line.split()[0] == "–"


def test_a_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """AlexNet's figures taken as they are published, and not as RobustBench has measured them."""
    without_work(monkeypatch)
    published = alexnet.published()
    monkeypatch.setattr(verify, "replace", lambda normalised, errors: published)
    wrong = with_status(Status.FAILED, list(verify.checks()))
    assert "mCE of AlexNet, from 75 cells" in wrong
    result = CliRunner().invoke(app, ["verify"])
    assert (result.exit_code, f"Failed checks: {len(wrong)}." in result.output) == (1, True)


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    without_attacks, picture = lambda: iter(()), verify.picture()
    monkeypatch.setattr(verify, "_attacks", without_attacks)
    monkeypatch.setattr(verify, "corrupted", lambda name: picture)
    kernels = [check for check in verify.checks() if check.subject.endswith("severity 3")]
    failed = with_status(Status.FAILED, kernels)
    assert failed == [f"{name}, severity 3" for name in verify.referenced_corruptions()]


def test_stored_references_are_the_output_of_the_reference_package() -> None:
    """Only deterministic corruptions; the others are compared on the package's own draws elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imagecorruptions = pytest.importorskip("imagecorruptions")
    references = stored_references()
    for name, levels in DETERMINISTIC.items():
        theirs = imagecorruptions.corrupt(verify.picture(), severity=3, corruption_name=name)
        assert np.abs(references[name].astype(int) - np.asarray(theirs).astype(np.uint8)).max() <= levels, name
