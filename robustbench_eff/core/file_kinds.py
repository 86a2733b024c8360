"""What a file is by its first bytes, and what to do where another kind was expected."""

from __future__ import annotations

from typing import NamedTuple

HEAD_BYTES = 512
"""Number of bytes that are looked at."""


class FileKind(NamedTuple):
    """What a file is in place of the expected one."""

    what: str
    """End of a sentence that begins with the name of the file, such as "is empty"."""
    remedy: str
    """What to do."""


_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml version")
_LFS_START = b"version https://git-lfs.github.com/spec/"
_PICTURE = "An image is passed with --data; pass the file of weights here."
_UNPACK = "Unpack it, and pass the file of weights in it: {}."
_CONVERT = "Load it with the library that wrote it, and save its weights with torch.save or safetensors."
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG\r\n", "is a PNG image", _PICTURE),
    (b"\xff\xd8\xff", "is a JPEG image", _PICTURE),
    (b"GIF8", "is a GIF image", _PICTURE),
    (b"RIFF", "is a WebP image, a sound or a video", _PICTURE),
    (b"%PDF", "is a PDF", "Pass the file of weights."),
    (b"\x1f\x8b", "is compressed with gzip", _UNPACK.format("gunzip FILE.gz")),
    (b"BZh", "is compressed with bzip2", _UNPACK.format("bunzip2 FILE.bz2")),
    (b"\xfd7zXZ\0", "is compressed with xz", _UNPACK.format("unxz FILE.xz")),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", _UNPACK.format("unzstd FILE.zst")),
    (b"\x89HDF\r\n", "is an HDF5 file, as Keras and MATLAB write them", _CONVERT),
    (b"MATLAB", "is a file of MATLAB", _CONVERT),
    (b"\x93NUMPY", "is a single array of NumPy", _CONVERT),
    (b"GGUF", "is a GGUF file", _CONVERT),
    (b"PAR1", "is a Parquet file", "A table of images is passed with --data; pass the file of weights here."),
)
"""First bytes, what they mean, and what to do."""


def placeholder_in(content: bytes) -> FileKind | None:
    """Return what stands in place of a download: a web page, a pointer of git LFS, nothing; None for anything else.

    Args:
        content: The file, or its first 512 bytes.
    """
    if not content:
        return FileKind("is empty (0 bytes)", "Download it again.")
    head = content[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_PAGE_STARTS):
        return FileKind("is a web page", "Download it again; the site may ask for a login or a confirmation.")
    if content.startswith(_LFS_START):
        return FileKind("is a pointer of git LFS, not the file itself", "Run `git lfs pull` in its repository.")
    return None


def kind_of(content: bytes) -> FileKind | None:
    """Return what a file that is no file of weights is; None if its first bytes say nothing.

    Args:
        content: The file, or its first 512 bytes.
    """
    if (placeholder := placeholder_in(content)) is not None:
        return placeholder
    for start, what, remedy in _STARTS:
        if content.startswith(start):
            return FileKind(what, remedy)
    head = content[:HEAD_BYTES]
    if head[257:262] == b"ustar":
        return FileKind("is a tar archive", _UNPACK.format("tar -xf FILE"))
    if head[4:8] == b"TFL3":
        return FileKind("is a TensorFlow Lite file", _CONVERT)
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x3a"):
        return FileKind("is an ONNX graph or another protocol buffer", _CONVERT)
    if not head.strip(b"\0"):
        return FileKind("begins with zero bytes, as an unfinished download does", "Download it again.")
    if head.lstrip()[:1] in (b"{", b"["):
        return FileKind("is JSON or other text", "Pass the file of weights itself.")
    if _is_text(head):
        return FileKind("is text", "Pass the file of weights itself.")
    return None


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in head) and len(head) > 8 and max(head) < 128
