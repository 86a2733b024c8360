"""One sweep gives accuracy at every radius."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_eff import evaluate
from robustbench_eff.attacks import SecurityCurve
from robustbench_eff.core.errors import SpecError
from running import accuracies, outcomes


def test_every_point_is_not_weaker_than_pgd_at_that_radius(tmp_path: Path) -> None:
    radii = (4, 8, 16)
    sweep = f"security_curve(eps=[{', '.join(f'{radius}/255' for radius in radii)}])"
    single = [f"pgd(eps={radius}/255, steps=20)" for radius in radii]
    result = evaluate("digits_standard", attacks=[sweep, *single], limit=100, store=tmp_path / "store")
    curve = {score.metric: score.value for score in result.scores if score.perturbation == sweep}
    points = [curve[f"robust_accuracy@{radius}/255"] for radius in radii]
    pgd = [score.value for score in accuracies(result.scores) if score.metric == "robust_accuracy"]
    assert points == sorted(points, reverse=True)
    assert all(ours <= theirs + 0.01 for ours, theirs in zip(points, pgd, strict=True))
    assert points == pytest.approx(pgd, abs=0.05)
    assert 4 / 255 < curve["median_distance_linf"] <= 16 / 255
    rows = outcomes(tmp_path / "store")[sweep]
    assert max(rows["num_forwards"].to_pylist()) <= 60


@pytest.mark.parametrize("eps", [(), (2 / 255, 1 / 255), (1 / 255, 1 / 255)])
def test_radii_must_grow(eps: tuple[float, ...]) -> None:
    with pytest.raises(SpecError, match="growing"):
        SecurityCurve(eps=eps)
