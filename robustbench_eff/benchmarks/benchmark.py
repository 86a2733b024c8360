"""What a benchmark is, and how its labels are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.models.class_map import ClassMap

if TYPE_CHECKING:
    from .layout import Layout
from .labelled_images import LabelledImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A named, labelled image set; all rows but `custom` know their classes."""

    name: str
    title: str
    label_space: str
    licence: str
    download_url: str
    """Where a user can get it."""
    size: str
    """How many images there are, and how much is to be downloaded."""
    num_classes: int | None
    split: str = "test"
    """Which of several splits is meant."""
    class_index: Callable[[], Mapping[str, int]] = dict
    """Class names and wnids to indices; ambiguous names are left out."""
    open_bundled: Callable[..., LabelledImages] | None = None
    """Opens the copy that is installed with the package, if there is one: its test split, or the one that is named."""
    source_benchmark: str | None = None
    """The benchmark whose images these are too, before something is done to them."""
    stylise_with: str | None = None
    """The styliser that gives each of those images the texture of an image of another class, as spec text."""
    class_map: Callable[[], ClassMap] | None = None
    """What its classes are made of, where they are not the outputs of a model of its label space."""
    select_images: Callable[[LabelledImages], LabelledImages] | None = None
    """Leaves out what an opened source holds beside its images, and adds what their names say."""
    crop_border: int = 0
    """Pixels of its images that are cut off on every side before anything else."""
    geometry: Geometry | None = None
    """The images are this first, whatever the model's own geometry."""
    layout: Layout | None = None
    """How the files of each corruption or sequence lie on disk, for a set that others have published; the clean images
    of `source_benchmark` are then optional."""
    jpeg_quality: int | None = None
    """Corrupted images become files of that quality, as the published ones are."""

    @property
    def made_from(self) -> str | None:
        """The benchmark whose images are enough to have these; of a published set only the clean ones are."""
        return None if self.layout is not None else self.source_benchmark
