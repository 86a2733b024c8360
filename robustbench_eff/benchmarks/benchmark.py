"""The definition of a benchmark: which images and classes it has, and how a model sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.models.class_map import ClassMap

from .labelled_images import LabelledImages
from .layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A named, labelled image set. All but a user's own set know their classes, by name or by number only."""

    name: str
    """Name in the table of benchmarks, such as `imagenet-c`; `vendor/name` for a plugin's benchmark."""
    title: str
    """One line for people: the full name, with authors and year."""
    label_space: str
    """Name of the classes that the outputs of a suitable model stand for, such as `imagenet`."""
    licence: str
    """Licence of the images, or a note that none is stated."""
    download_url: str
    """Where a user can get the images."""
    size: str
    """Number of images and size of the download, for people."""
    num_classes: int | None
    """Number of classes; None where the labels of the images decide."""
    split: str = "test"
    """The split to open where a source has several."""
    class_index: Callable[[], Mapping[str, int]] = dict
    """Return the index of every class name and wnid; names of more than one class are left out."""
    labels_from_one: str = "The labels seem to count from 1: subtract 1."
    """Hint of the error about labels that run from 1 to the number of classes."""
    open_bundled: Callable[..., LabelledImages] | None = None
    """Open the copy that is installed with the package: its test split, or the split named by the only argument. None
    where no copy is installed."""
    source_benchmark: str | None = None
    """Name of the benchmark that the images come from; None where they are the benchmark's own."""
    stylise_with: str | None = None
    """Spec text of the styliser that gives each image the texture of an image of another class, else None."""
    class_map: Callable[[], ClassMap] | None = None
    """Return the outputs of a model that stand for each class; None where outputs and classes are the same."""
    class_names: tuple[str, ...] = ()
    """Name of each class, where the user's own images or the model decided which classes there are; else empty. The
    protocol names them."""
    class_order: str = ""
    """How these classes are numbered, as the protocol says it; empty where the source of the images decides."""
    flags: tuple[str, ...] = ()
    """Warnings about these images, which are shown beside every number on them."""
    assumed: tuple[str, ...] = ()
    """What was assumed of the images, such as the order of their classes, one line each."""
    select_images: Callable[[LabelledImages], LabelledImages] | None = None
    """Keep only the images of the benchmark, with their labels, where a source holds more; else None."""
    crop_border: int = 0
    """Width in pixels of the border that is cut off on every side before anything else."""
    geometry: Geometry | None = None
    """Geometry at which the images are decoded, whatever the model's own; None for the model's own."""
    layout: Layout | None = None
    """Layout of the files of each corruption or sequence, for a published set; else None. The clean images of
    `source_benchmark` are then optional."""
    files: tuple[str, ...] = ()
    """Addresses of the files that `--download` fetches, with their hashes: `https://HOST/FILE#sha256=HEX`."""
    jpeg_quality: int | None = None
    """Quality, 1 to 100, at which corrupted images are saved as JPEG, as the published files were; None for never."""

    usual_radii: Mapping[str, float] = field(default_factory=dict)
    """Radius of an attack that states none, by norm, in units of [0, 1] pixels; empty for the attack's own default."""

    @property
    def made_from(self) -> str | None:
        """Name of the benchmark whose images are enough to make these; None for a published set."""
        return None if self.layout is not None else self.source_benchmark
