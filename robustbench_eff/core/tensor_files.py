"""Files of tensors, PyTorch's and safetensors, read without running code from them, and refused in one sentence.

What a file can make the reader do is bounded by its size: parts of an archive are not compressed and do not overlap,
and its pickle is counted before it is read (`pickle_size`).
"""

from __future__ import annotations

import mmap
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from .errors import RobustEvalError, reason
from .file_kinds import HEAD_BYTES, FileKind, kind_of
from .outside_files import check_file
from .pickle_size import RefusedPickle, check_pickle
from .shortages import out_of_memory

MAX_HEADER_BYTES = 16 * 2**20
"""Largest header of a safetensors file and largest pickle of an archive, in bytes: about 100,000 tensors."""
MAX_PARTS = 200_000
"""Largest number of parts of an archive."""
SUFFIX = ".safetensors"
TENSORFLOW_END = struct.pack("<Q", 0xDB4775248B80FB57)
"""Last bytes of the index of a TensorFlow checkpoint."""
_ARCHIVE_KINDS: tuple[tuple[str, FileKind], ...] = (
    (
        r"(^|/)serialized_exported_program\.json$|(^|/)models/[^/]*\.json$|(^|/)archive_format$",
        FileKind("is a program of torch.export", "Load it in a factory with torch.export.load: see docs/models.md."),
    ),
    (
        r"(^|/)constants\.pkl$",
        FileKind("is a TorchScript program", "Load it in a factory with torch.jit.load: see docs/models.md."),
    ),
    (
        r"\.npy$",
        FileKind(
            "is an archive of NumPy arrays",
            'Convert it: safetensors.numpy.save_file(dict(numpy.load("FILE")), "weights.safetensors").',
        ),
    ),
    (r"\.weights\.h5$", FileKind("is a model of Keras", "Keras' layers have other names and axes than PyTorch's.")),
)
"""Names of parts that only one kind of archive has."""
RUNS_CODE = "reading it would run code that the file contains"
"""Words of the message about a pickle that needs more than tensors."""
_DAMAGED = "Download or save it again."
_SAVE_AGAIN = "Load it where it was made, and save the state_dict alone: torch.save(model.state_dict(), FILE)."
_LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""What follows the two bytes of the protocol in a file of torch.save before version 1.6."""


def read_tensor_file(path: Path, error: type[RobustEvalError], *, trust: bool = False) -> Any:
    """Return what a PyTorch or safetensors file holds, with its tensors on the CPU.

    Args:
        path: The file; its kind is decided by its content, but a name that ends with .safetensors is never unpickled.
        error: Class of the error to raise.
        trust: Unpickle a PyTorch file that contains more than tensors, which may run code from it.

    Raises:
        RobustEvalError: Of the class `error`, if it cannot be read, is of another kind, needs unpickling without
            `trust`, is larger than the machine's memory, or describes more than it holds.
    """
    check_file(path, error)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(-min(8, path.stat().st_size), os.SEEK_END)
            tail = file.read(8)
    except OSError as failure:
        raise error(f"{path} cannot be read: {failure.strerror or failure}.") from failure
    named = path.suffix.lower() == SUFFIX
    # A safetensors file begins with the length of its header, which may look like the first byte of a pickle.
    if _is_safetensors(head, path.stat().st_size):
        return _safetensors(path, head, error)
    is_torch = head.startswith((b"PK\x03\x04", b"\x80"))
    if named and is_torch and head[8:9] != b"{":
        raise error(
            f"{path} is a PyTorch file under the name of a safetensors file.", "Rename it so that it ends in .pth."
        )
    if named and (is_torch or kind_of(head) is None):
        return _safetensors(path, head, error)
    if not is_torch and not (trust and head[257:262] == b"ustar"):
        raise _other(path, kind_of(head), tail, error)
    return _torch(path, head, error, trust)


def program_in(path: Path) -> str:
    """Return the source that takes a program of torch: `exported` or `torchscript`; empty for any other file.

    Args:
        path: The file.
    """
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as opened:
        names = opened.namelist()
    kinds = zip(("exported", "torchscript"), _ARCHIVE_KINDS, strict=False)
    return next((source for source, (pattern, _) in kinds if any(re.search(pattern, name) for name in names)), "")


def is_plain(value: object) -> TypeGuard[Tensor]:
    """Return whether something is a dense tensor of floats with values.

    Args:
        value: What a file holds under a name.
    """
    return (
        isinstance(value, Tensor)
        and type(value) in (Tensor, nn.Parameter)
        and not (value.is_nested or value.is_meta or value.is_quantized)
        and value.layout == torch.strided
        and value.is_floating_point()
    )


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and 8 + int.from_bytes(head[:8], "little") <= size and head[8:9] == b"{"


def _other(path: Path, kind: FileKind | None, tail: bytes, error: type[RobustEvalError]) -> RobustEvalError:
    if tail == TENSORFLOW_END:
        kind = FileKind("is the index of a TensorFlow checkpoint", "Only the sat_… models read those.")
    if kind is None:
        return error(f"{path} is not a file of weights.", "Pass a .safetensors file, or what torch.save wrote.")
    return _is_another(path, kind, error)


def _is_another(path: Path, kind: FileKind, error: type[RobustEvalError]) -> RobustEvalError:
    return error(f"{path} cannot be read as weights: it {kind.what}.", kind.remedy)


def _safetensors(path: Path, head: bytes, error: type[RobustEvalError]) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    size = path.stat().st_size
    length = int.from_bytes(head[:8], "little")
    if 8 + length > size:
        raise error(f"{path} is damaged: it has {size:,} bytes, and its header alone would have {length:,}.", _DAMAGED)
    if length > MAX_HEADER_BYTES:
        raise error(f"{path} has a header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read.")
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, RuntimeError, MemoryError) as failure:
        raise _failure(path, failure, error) from failure


def _torch(path: Path, head: bytes, error: type[RobustEvalError], trust: bool) -> Any:
    _check_memory(path, error)
    try:
        if head.startswith(b"PK"):
            _check_archive(path, error, trust)
        elif not trust:
            _check_legacy(path, head, error)
        return torch.load(path, map_location="cpu", weights_only=not trust)
    except RefusedPickle as failure:
        raise error(f"{path} {failure}.", _SAVE_AGAIN) from failure
    except pickle.UnpicklingError as failure:
        raise _unpickling(path, failure, error) from failure
    except RobustEvalError:
        raise
    except Exception as failure:  # torch and pickles that are trusted raise errors of any class
        raise _failure(path, failure, error) from failure


def _check_memory(path: Path, error: type[RobustEvalError]) -> None:
    size, memory = path.stat().st_size, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise error(
            f"{path} has {size / 2**30:,.0f} GiB, more than the memory of this machine.", "Save it as safetensors."
        )


def _check_archive(path: Path, error: type[RobustEvalError], trust: bool) -> None:
    """Refuse an archive that torch.save did not write, or that holds more than its size."""
    try:
        opened = zipfile.ZipFile(path)
    except zipfile.BadZipFile as failure:
        raise error(f"{path} is incomplete: the end of the archive is missing.", _DAMAGED) from failure
    with opened:
        parts = opened.infolist()
        names = [part.filename for part in parts]
        for pattern, kind in _ARCHIVE_KINDS:
            if any(re.search(pattern, name) for name in names):
                raise _is_another(path, kind, error)
        pickles = [part for part in parts if part.filename.split("/")[-1] == "data.pkl"]
        if not pickles:
            raise _is_another(
                path, FileKind("is a zip archive", "Unpack it, and pass the file of weights in it."), error
            )
        if len(parts) > MAX_PARTS:
            raise error(f"{path} has {len(parts):,} parts; at most {MAX_PARTS:,} are read.")
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise error(f"{path} is compressed, which torch.save does not do.", _SAVE_AGAIN)
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise error(f"{path} is damaged: its parts overlap.", _DAMAGED)
        for part in pickles:
            if part.file_size > MAX_HEADER_BYTES:
                raise error(f"{path} has a pickle of {part.file_size:,} bytes; at most {MAX_HEADER_BYTES:,} are read.")
            if not trust:
                with opened.open(part) as file:
                    check_pickle(file)


def _check_legacy(path: Path, head: bytes, error: type[RobustEvalError]) -> None:
    """Check the pickles at the beginning: magic number, version, system, and the content."""
    if not head[2:].startswith(_LEGACY):
        raise error(f"{path} is a pickle that torch.save did not write.", _SAVE_AGAIN)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for _ in range(4):
            check_pickle(content)  # type: ignore[arg-type]


def _unpickling(path: Path, failure: Exception, error: type[RobustEvalError]) -> RobustEvalError:
    text = str(failure)
    found = re.search(r"(?:GLOBAL |function |but got )(<[^>]*>|[\w.]+)", text)
    if not re.search(r"unsupported GLOBAL|Unsupported global|unrecognized function|Can only (create|build)", text):
        return _failure(path, failure, error)
    called = found[1] if found else reason(failure)
    return error(
        f"{path} is refused: {RUNS_CODE} ({called}).",
        "Save its state_dict as .safetensors; or pass --trust-checkpoint if you trust the author of the file.",
    )


def _failure(path: Path, failure: Exception, error: type[RobustEvalError]) -> RobustEvalError:
    if out_of_memory(failure):
        return error(
            f"{path} has {path.stat().st_size:,} bytes, and needs more memory than there is.",
            "Free some memory; if the file is small, it is damaged: download or save it again.",
        )
    if isinstance(failure, OSError) and failure.strerror:
        return error(f"{path} cannot be read: {failure.strerror}.")
    return error(f"{path} is damaged, or of no known kind: {reason(failure)[:300].rstrip('.')}.", _DAMAGED)
