"""The static site: contents of its plots."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.leaderboards.entry import Entry
from robustbench_eff.leaderboards.site import plots as plots_module
from robustbench_eff.leaderboards.site.plots import plots
from site_entries import entry, result


def test_published_and_measured_numbers_are_different_views() -> None:
    both = [entry("one"), entry("two", kind="published")]
    for plot in plots(both):
        assert [list(view.models) for view in plot.views if "measured" in view.label] == [["one"]] * (
            len(plot.views) // 2
        )


def test_a_security_curve_starts_at_clean_accuracy() -> None:
    curves = next(plot for plot in plots([entry("m")]) if plot.name == "curves")
    assert curves.views[0].label.startswith("digits, pgd(steps=50)")
    points = [row[1:3] for row in curves.views[0].models["m"]]
    assert points == [[0.0, 0.9], [round(4 / 255, 6), 0.6], [round(8 / 255, 6), 0.4]]


def test_one_radius_does_not_make_a_curve() -> None:
    one = Entry(model="m", measured=(result("none", 0.9), result("pgd(eps=4/255)", 0.5)))
    assert [plot.name for plot in plots([one])] == ["scatter"]


def test_random_and_deterministic_corruptions_share_a_view() -> None:
    seeds = [
        result("snow(severity=1)", 0.5, protocol=Protocol(description="all images", seeds=(seed,))) for seed in (0, 1)
    ]
    (plot,) = plots([Entry(model="m", measured=(result("fog(severity=1)", 0.6), *seeds))])
    assert [[row[0] for row in view.models["m"]] for view in plot.views] == [["fog", "snow"]] * 2
    assert [view.label for view in plot.views] == [f"digits (measured: all images · seed {seed})" for seed in (0, 1)]


def test_models_are_sorted_by_their_mean() -> None:
    def of(model: str, *values: float) -> Entry:
        results = (result(f"fog(severity={place})", value) for place, value in enumerate(values, start=1))
        return Entry(model=model, measured=tuple(results))

    (plot,) = plots([of("strong at the end", 0.3, 0.6), of("best", 0.9, 0.5), of("strong at first", 0.8, 0.1)])
    assert list(plot.views[0].models) == ["best", "strong at first", "strong at the end"]


def test_plots_round_like_tables() -> None:
    (plot,) = plots([Entry(model="m", measured=tuple(result(f"fog(severity={k})", 0.60445) for k in (1, 2)))])
    assert f"{plot.views[0].models['m'][0][2]:.1%}" == f"{0.60445:.1%}" == "60.4%"


def test_the_scatter_calls_every_metric_by_its_name() -> None:
    mean = result("imagenet_c", 0.5, metric="mean_accuracy", benchmark="digits-c")
    scatter, *_ = plots([Entry(model="m", measured=(result("none", 0.9), result("pgd(eps=4/255)", 0.4), mean))])
    assert {view.label.partition(" ")[0]: view.measure for view in scatter.views} == {
        "digits,": "robust accuracy",
        "digits-c,": "mean accuracy under corruption",
    }


def test_numbers_on_the_heat_map_have_enough_contrast() -> None:
    drawing = json.loads((Path(plots_module.__file__).parent / "drawings" / "corruptions.json").read_text())
    ink = drawing["layer"][1]["encoding"]["color"]
    limit = float(ink["condition"]["test"].removeprefix("datum.accuracy > "))
    for accuracy in np.linspace(0, 1, 1001):
        text = to_rgb(ink["condition"]["value"] if accuracy > limit else ink["value"])
        assert contrast(text, colormaps["viridis"](accuracy)[:3]) >= 4.5, accuracy


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Return the contrast ratio of two colours in sRGB as defined by WCAG 2."""
    bright = sorted(
        np.dot([0.2126, 0.7152, 0.0722], [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour])
        for colour in (first, second)
    )
    return float((bright[1] + 0.05) / (bright[0] + 0.05))
