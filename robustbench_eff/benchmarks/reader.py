"""The contract of a reader: one file format of labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .labelled_images import LabelledImages


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedLayout:
    """A layout of files, as a row of the table in the documentation."""

    files: str
    """The files as people have them, in Markdown."""
    labels: str
    """Where the label of an image comes from."""
    class_order: str
    """How classes are numbered where the benchmark does not know them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A file format of labelled images. Readers are asked in the order of their table; the first match opens a path."""

    understands: Callable[[Path], bool]
    """Return True if a file or folder has this format: `understands(path)`. Only names and the first bytes are read,
    and a path of another format is never an error."""
    open: Callable[[Path, str], LabelledImages]
    """List the images of a path without decoding them: `open(path, split)`. Where the files hold several splits, the
    one named `split` is opened. Raises DataError for files that are damaged or lack a part."""
    layouts: tuple[DocumentedLayout, ...] = ()
    """The layouts that it reads, for the documentation."""
