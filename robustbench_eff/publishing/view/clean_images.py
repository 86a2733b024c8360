"""Clean images of samples, from the data set where it can be found."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from robustbench_eff.core.errors import MissingInputs, RobustEvalError
from robustbench_eff.reports.disagreement_sheet import CleanImages, open_clean_images, thumbnail


class Opened(NamedTuple):
    """The clean images of a benchmark, or why there are none."""

    images: CleanImages | None
    why: str


class DataSets:
    """The data sets of a store's benchmarks, each opened once."""

    def __init__(self, data: Mapping[str, str]) -> None:
        """Open nothing yet.

        Args:
            data: Locations of images by benchmark, as for an evaluation.
        """
        self._data = data
        self._opened = cache(self._open)

    def why_not(self, benchmark: str) -> str:
        """Return why a benchmark has no clean images to show; empty if it has.

        Args:
            benchmark: Name of the benchmark.
        """
        return self._opened(benchmark).why

    def image(self, benchmark: str, sample_id: str) -> str:
        """Return the centre square of a sample's clean image as a data address; empty where it is not available.

        Args:
            benchmark: Name of the benchmark.
            sample_id: Id of the sample.
        """
        images = self._opened(benchmark).images
        if images is None:
            return ""
        try:
            picture = thumbnail(images, sample_id)
        except RobustEvalError:  # another version of the data set: `why_not` cannot know
            return ""
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    def _open(self, benchmark: str) -> Opened:
        try:
            found = open_clean_images([benchmark], self._data)
        except MissingInputs:
            return Opened(None, f"the images of {benchmark} are not here; --data {benchmark}=PATH says where they are")
        except RobustEvalError as error:
            return Opened(None, f"{error.message} {error.hint}".strip())
        if benchmark not in found:
            return Opened(None, f"{benchmark} was published as perturbed files: it has no clean images")
        return Opened(found[benchmark], "")
