"""Files as people download them give the right labels, or one clear sentence.

The cases stand in `tests/support/layouts_*.py`; each picture shows its class, so that no label is taken on trust.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from layouts_corrupted import CORRUPTED_LAYOUTS
from layouts_downloaded import DOWNLOADED_LAYOUTS
from layouts_imagenet import IMAGENET_LAYOUTS
from layouts_own import OWN_LAYOUTS
from layouts_stray import STRAY_LAYOUTS
from robustbench_eff.benchmarks.data_fingerprint import content_of
from robustbench_eff.benchmarks.labels import resolve_labels
from robustbench_eff.benchmarks.readers.decode import decode
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.evaluation.open_images import open_files
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_benchmark
from robustbench_eff.registry.perturbation import perturbations
from world_layouts import WorldLayout, label_of

WORLD = (*OWN_LAYOUTS, *DOWNLOADED_LAYOUTS, *IMAGENET_LAYOUTS, *CORRUPTED_LAYOUTS, *STRAY_LAYOUTS)


def test_at_least_forty_layouts_have_names_of_their_own() -> None:
    assert len({layout.name for layout in WORLD}) == len(WORLD) >= 40


@pytest.mark.parametrize("layout", WORLD, ids=lambda layout: layout.name)
def test_right_labels_or_a_refusal(layout: WorldLayout, tmp_path: Path) -> None:
    where = layout.make(tmp_path)
    benchmark = build_benchmark.benchmark(layout.benchmark, str(where))

    def opened_images():
        if not layout.perturbation:
            return open_benchmark(benchmark, str(where))
        (_, change) = perturbations([layout.perturbation])
        return open_files(benchmark, str(where), change, opened_clean())

    def opened_clean():
        if not layout.clean:
            return None
        place = str(tmp_path / layout.clean)
        return open_benchmark(build_benchmark.benchmark(str(benchmark.source_benchmark)), place)

    if layout.refusal:
        with pytest.raises(RobustEvalError, match=layout.refusal):
            resolve_labels(benchmark, opened_images())
        return
    opened = opened_images()
    labels = resolve_labels(benchmark, opened).labels.tolist()
    contents = [_picture(content_of(opened, position)) for position in range(len(opened))]
    assert len(labels) == layout.count
    if not layout.perturbation:  # a message says where to find the images: a user passes it again
        again = open_benchmark(benchmark, opened.origin)
        assert (again.ids, list(again.labels)) == (opened.ids, list(opened.labels))
    assert labels == [label_of(decode(content, name)) for content, name in zip(contents, opened.ids, strict=True)]


def _picture(content):
    """An image, or the first frame of a sequence."""
    return content[0] if isinstance(content, np.ndarray) and content.ndim == 4 else content
