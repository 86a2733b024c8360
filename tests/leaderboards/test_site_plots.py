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
from robustbench_eff.leaderboards.site.pareto import pareto_front
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
    assert curves.views[0].label.startswith("PGD(steps=50), L∞, Digits (")
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
    assert [view.label for view in plot.views] == [
        f"Accuracy under corruption, Digits (measured: all images · seed {seed})" for seed in (0, 1)
    ]


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
    assert {view.label.partition(" (")[0]: view.measure for view in scatter.views} == {
        "PGD, L∞, ε = 4/255, Digits": "robust accuracy",
        "Mean accuracy under imagenet_c, digits-c": "mean accuracy under corruption",
    }


def test_the_front_is_that_of_brute_force() -> None:
    draw = np.random.default_rng(0)
    for number in range(200):
        pairs = draw.integers(0, 6, (number % 12, 2)) / 5
        points = {str(name): (float(first), float(second)) for name, (first, second) in enumerate(pairs)}
        front = pareto_front(points)
        assert set(front) == {
            name for name, point in points.items() if not any(beats(other, point) for other in points.values())
        }
        assert [points[name][0] for name in front] == sorted(points[name][0] for name in front)


def beats(other: tuple[float, float], point: tuple[float, float]) -> bool:
    """Whether a point is at least as high in both numbers as another, and higher in one."""
    return other != point and other[0] >= point[0] and other[1] >= point[1]


def test_a_view_has_the_front_of_its_numbers_and_own_models_first() -> None:
    models = [entry("weak", 0.7), entry("strong", 0.9), entry("own", 0.8)]
    scatter = plots(models, frozenset({"own"}))[0]
    assert all(view.front == ("strong",) for view in scatter.views)
    assert all(next(iter(view.models)) == "own" for view in scatter.views)
    assert len({view.key for view in scatter.views}) == len(scatter.views)


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
