"""Files that people pass as weights of a small network, and what must come of each: the right weights or a sentence."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save, save_file
from torch import Tensor, nn

NETWORK = """
import torch
from torch import nn
from collections import OrderedDict

def build(dtype=None):
    layers = OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), pool=nn.AdaptiveAvgPool2d(1),
                         flat=nn.Flatten(), head=nn.Linear(4, 10))
    return nn.Sequential(layers)
"""
LOADS = "loads"
"""The network has exactly the weights of `good()`."""
Write = Callable[[Path], Any]
"""Writes a file at a path; returns another path where that is what the user passes."""


def network() -> nn.Sequential:
    found: dict[str, Any] = {}
    exec(NETWORK, found)
    made: nn.Sequential = found["build"]()
    return made


def good() -> dict[str, Tensor]:
    """Weights that are the same in float16, bfloat16, float32 and float64."""
    return {
        key: torch.tensor(5) if key.endswith("tracked") else (torch.arange(value.numel()) % 7 + 1).view(value.shape) / 8
        for key, value in network().state_dict().items()
    }


def saved(change: Callable[[dict[str, Any]], Any], **options: Any) -> Write:
    """torch.save of the good weights after a change."""
    return lambda path: torch.save(change(good()), path, **options)


def replaced(key: str, value: Callable[[Tensor], Any], **options: Any) -> Write:
    return saved(lambda state: {**state, key: value(state[key])}, **options)


def all_of(change: Callable[[Tensor], Any]) -> Write:
    return saved(lambda state: {key: change(value) for key, value in state.items()})


def floats(change: Callable[[Tensor], Any]) -> Write:
    return saved(lambda s: {key: change(value) if value.is_floating_point() else value for key, value in s.items()})


def content(data: bytes | Callable[[], bytes]) -> Write:
    return lambda path: path.write_bytes(data() if callable(data) else data)


def good_file(**options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(good(), buffer, **options)
    return buffer.getvalue()


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, value in files.items():
            opened.writestr(name, value)
    return buffer.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for name, value in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(value)
            opened.addfile(member, io.BytesIO(value))
    return buffer.getvalue()


def with_pickle(data: bytes, **more: bytes) -> bytes:
    """A PyTorch archive whose pickle is any bytes."""
    return archive({"archive/data.pkl": data, "archive/version": b"3\n", "archive/byteorder": b"little"} | more)


def compressed() -> bytes:
    with zipfile.ZipFile(io.BytesIO(good_file())) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    return archive(files | {"archive/data/99": bytes(2**26)}, zipfile.ZIP_DEFLATED)


def overlapping() -> bytes:
    """An archive whose directory lists one part of 100 kB ten thousand times."""
    whole = archive({"archive/data.pkl": b"}.", "archive/data/0": bytes(100_000)})
    start = whole.rindex(b"PK\x01\x02")
    entry, end = whole[start : whole.rindex(b"PK\x05\x06")], bytearray(whole[whole.rindex(b"PK\x05\x06") :])
    first = whole[whole.index(b"PK\x01\x02") : start]
    end[8:12] = struct.pack("<HH", 10_001, 10_001)
    end[12:16] = struct.pack("<I", len(first) + 10_000 * len(entry))
    return whole[: whole.index(b"PK\x01\x02")] + first + entry * 10_000 + bytes(end)


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def claimed(shape: list[int], end: int, data: bytes = b"", kind: str = "F32") -> bytes:
    return safetensors({"conv.weight": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}}, data)


def deep_key(levels: int) -> bytes:
    """A dictionary whose key is a tuple within a tuple within a tuple."""
    return b"\x80\x02}" + b")" + b"\x85" * levels + b"K\x01s."


def doubling_key(levels: int) -> bytes:
    """A dictionary whose key has 2 ** levels values, in a few hundred bytes."""
    return b"\x80\x02})" + b"q\0h\0\x86" * levels + b"K\x01s."


def calling(module: str, name: str, number: int) -> bytes:
    """A call of a class with one number."""
    return f"\x80\x02c{module}\n{name}\n".encode("latin-1") + b"\x8a\x08" + number.to_bytes(8, "little") + b"\x85R."


def huge_storage() -> bytes:
    """A legacy file that declares 10^15 values and has none."""
    return good_file(_use_new_zipfile_serialization=False).replace(
        b"K\x6cN", b"\x8a\x07" + (10**15).to_bytes(7, "little") + b"N"
    )


def script(path: Path) -> None:
    torch.jit.script(network()).save(str(path))


def program(path: Path) -> None:
    torch.export.save(torch.export.export(network().eval(), (torch.zeros(2, 3, 8, 8),)), path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()
    save_file(good(), path / "model.safetensors")


def shards(path: Path, change: Callable[[dict[str, str]], Any] = lambda files: files, files: int = 2) -> Path:
    state, names = good(), [f"model-{part}.safetensors" for part in range(files)]
    where = {key: names[number % files] for number, key in enumerate(state)}
    for name in names:
        save_file({key: value for key, value in state.items() if where[key] == name}, path.with_name(name))
    index = path.with_name("model.safetensors.index.json")
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": change(where)}))
    return index


def linked(target: str) -> Write:
    return lambda path: path.symlink_to(target)


def link_to_a_file(path: Path) -> None:
    torch.save(good(), path.with_name("real.pth"))
    path.symlink_to("real.pth")


def eight_tebibytes(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**43)


class Runs:
    """What a pickle that runs code contains."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.getenv, ("HOME",)


def quantised(value: Tensor) -> Tensor:
    return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


def nested(value: Tensor) -> Tensor:
    return torch.nested.nested_tensor([value[0], value[1]])


FALSE = {"conv.weight": "F32", "shape": 3}

FORMS: dict[str, tuple[str, Write, str]] = {
    # The right weights.
    "plain": ("w.pth", saved(dict), LOADS),
    "legacy": ("w.pth", saved(dict, _use_new_zipfile_serialization=False), LOADS),
    "protocol 3": ("w.pth", saved(dict, pickle_protocol=3), LOADS),
    "ordered": ("w.pth", saved(OrderedDict), LOADS),
    "any ending": ("w.weights", saved(dict), LOADS),
    "without an ending": ("weights", saved(dict), LOADS),
    "parameters": ("w.pth", floats(nn.Parameter), LOADS),
    "of DataParallel": ("w.pth", saved(lambda s: {f"module.{key}": value for key, value in s.items()}), LOADS),
    "compiled in parallel": ("w.pth", saved(lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()}), LOADS),
    "in a checkpoint": ("w.pth.tar", saved(lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"lr": 0.1}}), LOADS),
    "beside an average": ("w.pth", saved(lambda s: {"state_dict": s, "ema": floats_of(s)}), LOADS),
    "without counters": ("w.pth", saved(lambda s: {k: v for k, v in s.items() if "tracked" not in k}), LOADS),
    "not contiguous": (
        "w.pth",
        replaced("conv.weight", lambda v: v.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)),
        LOADS,
    ),
    "one storage for all": ("w.pth", saved(lambda s: views(s)), LOADS),
    "channels last": (
        "w.pth",
        replaced("conv.weight", lambda v: v.contiguous(memory_format=torch.channels_last)),
        LOADS,
    ),
    "float16": ("w.pth", floats(Tensor.half), LOADS),
    "bfloat16": ("w.pth", floats(Tensor.bfloat16), LOADS),
    "float64": ("w.pth", floats(Tensor.double), LOADS),
    "safetensors": ("w.safetensors", lambda path: save_file(good(), path), LOADS),
    "safetensors of half precision": (
        "w.safetensors",
        lambda path: save_file(floats_of(good(), torch.float16), path),
        LOADS,
    ),
    "safetensors under another name": ("w.bin", lambda path: save_file(good(), path), LOADS),
    "safetensors in capitals": ("w.SAFETENSORS", lambda path: save_file(good(), path), LOADS),
    "shards": ("w", shards, LOADS),
    "a link": (
        "link.pth",
        link_to_a_file,
        LOADS,
    ),
    "rounded": ("w.pth", floats(lambda v: v.double() + 1e-12), "loads: float64"),
    # Tensors that are no weights.
    "sparse": ("w.pth", replaced("conv.weight", Tensor.to_sparse), "conv.weight of .* is sparse"),
    "compressed rows": ("w.pth", replaced("head.weight", Tensor.to_sparse_csr), "head.weight of .* is sparse"),
    "quantised": ("w.pth", replaced("conv.weight", quantised), "conv.weight of .* is quantised"),
    "nested": ("w.pth", replaced("conv.weight", nested), "conv.weight of .* is nested|_rebuild_nested_tensor"),
    "meta": ("w.pth", replaced("conv.weight", lambda v: v.to("meta")), "conv.weight of .* has no values"),
    "complex": ("w.pth", replaced("conv.weight", lambda v: v.to(torch.complex64)), "conv.weight of .* complex64"),
    "bool": ("w.pth", replaced("conv.weight", Tensor.bool), "conv.weight of .* holds bool"),
    "int8": ("w.pth", replaced("conv.weight", lambda v: v.to(torch.int8)), "conv.weight of .* holds int8"),
    "int64": ("w.pth", replaced("head.bias", Tensor.long), "head.bias of .* holds int64"),
    "NaN": ("w.pth", replaced("head.bias", lambda v: v / v.new_tensor(0) * 0), "head.bias of .* holds NaN"),
    "one NaN": (
        "w.pth",
        replaced("conv.weight", lambda v: v.clone().index_put_((torch.tensor(0),), torch.tensor(float("nan")))),
        "conv.weight of .* holds NaN",
    ),
    "infinite": ("w.pth", replaced("conv.bias", lambda v: v / 0), "conv.bias of .* holds infinite"),
    "float16 overflow": ("w.pth", floats(lambda v: (v * 1e6).half()), "holds infinite"),
    "float64 overflow": ("w.pth", floats(lambda v: v.double() * 1e300), "holds .*beyond float32"),
    "another shape": ("w.pth", replaced("conv.weight", lambda v: v[:2]), "does not fit the model: 1 of another shape"),
    "transposed": ("w.pth", replaced("head.weight", Tensor.t), "of another shape, such as head.weight"),
    "zero-dimensional": ("w.pth", replaced("conv.bias", lambda v: v[0]), "of another shape, such as conv.bias"),
    "empty tensor": ("w.pth", replaced("conv.bias", lambda v: v[:0]), "of another shape, such as conv.bias"),
    "expanded to 10^15": ("w.pth", replaced("conv.weight", lambda v: v[0, 0, 0, :1].expand(10**15)), "another shape"),
    "expanded to the right shape": (
        "w.pth",
        replaced("conv.bias", lambda v: torch.tensor([0.5]).expand(4)),
        "loads: other",
    ),
    # Dictionaries that are no state_dict.
    "whole numbers as keys": ("w.pth", saved(lambda s: dict(enumerate(s.values()))), "names an entry 0"),
    "tuples as keys": (
        "w.pth",
        saved(lambda s: {tuple(k.split(".")): v for k, v in s.items()}),
        "names an entry .*tuple",
    ),
    "capitals": ("w.pth", saved(lambda s: {key.upper(): v for key, v in s.items()}), "missing, such as conv.weight"),
    "empty": ("w.pth", saved(lambda s: {}), "empty dictionary"),
    "an empty state_dict": ("w.pth", saved(lambda s: {"state_dict": {}}), "does not contain a state_dict"),
    "a list": ("w.pth", saved(lambda s: list(s.values())), "holds a list"),
    "a tensor": ("w.pth", saved(lambda s: s["conv.weight"]), "holds a Tensor"),
    "None": ("w.pth", saved(lambda s: None), "holds a NoneType"),
    "a text": ("w.pth", saved(lambda s: "hello"), "holds a str"),
    "mixed": ("w.pth", saved(lambda s: {**s, "epoch": 3, "args": {"lr": 1}}), "'epoch'"),
    "an average alone": ("w.pth", saved(lambda s: {"ema": s, "epoch": 3}), "it contains ema, epoch"),
    "nested dictionaries": ("w.pth", saved(lambda s: {"model": {"state_dict": s}}), "does not contain a state_dict"),
    "contains itself": ("w.pth", saved(lambda s: s.update(state_dict=s) or s), "entries|does not contain"),
    "missing": (
        "w.pth",
        saved(lambda s: {k: v for k, v in s.items() if k != "head.bias"}),
        "1 missing, such as head.b",
    ),
    "unexpected": ("w.pth", saved(lambda s: {**s, "head2.bias": s["head.bias"]}), "1 unexpected, such as head2.bias"),
    "half a prefix": ("w.pth", saved(lambda s: {**s, "module.conv.weight": s["conv.weight"]}), "1 unexpected"),
    "a name of a megabyte": (
        "w.pth",
        saved(lambda s: {**s, "x" * 10**6: s["head.bias"]}),
        r"1 unexpected, such as x{50,}…",
    ),
    "control characters in a name": (
        "w.pth",
        saved(lambda s: {**s, "\x1b[31m\n": s["head.bias"]}),
        r"such as '\\x1b\[31m\\n'",
    ),
    "markup in a name": ("w.pth", saved(lambda s: {**s, "[red]": s["head.bias"]}), r"such as \[red\]"),
    "a module": ("w.pth", lambda path: torch.save(network(), path), "would run code"),
    "code": ("w.pth", saved(lambda s: {**s, "x": Runs()}), r"would run code .*posix.getenv|os.getenv"),
    "code in a legacy file": (
        "w.pth",
        saved(lambda s: {**s, "x": Runs()}, _use_new_zipfile_serialization=False),
        "would run code",
    ),
    "arrays of NumPy": ("w.pth", saved(lambda s: {k: v.numpy() for k, v in s.items()}), "would run code .*numpy"),
    "protocol 4": ("w.pth", saved(dict, pickle_protocol=4), "is written in pickle protocol 4"),
    "protocol 5": ("w.pth", saved(dict, pickle_protocol=5), "is written in pickle protocol 5"),
    # Hostile archives.
    "a deep key": ("w.pth", content(lambda: with_pickle(deep_key(10**6))), "within one another"),
    "a doubling key": ("w.pth", content(lambda: with_pickle(doubling_key(200))), "holds more than"),
    "a deep key in a legacy file": ("w.pth", content(lambda: legacy_head() + deep_key(10**6)), "within one another"),
    "a doubling key in a legacy file": ("w.pth", content(lambda: legacy_head() + doubling_key(200)), "holds more than"),
    "deep lists": (
        "w.pth",
        content(lambda: with_pickle(b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".")),
        "holds a list",
    ),
    "a million steps": (
        "w.pth",
        content(lambda: with_pickle(b"\x80\x02" + b"]0" * 6 * 10**5 + b"N.")),
        "more than 1,000,000 steps",
    ),
    "a compressed archive": ("w.pth", content(compressed), "is compressed"),
    "overlapping parts": ("w.pth", content(overlapping), "parts .*overlap"),
    "10^15 values in a legacy file": ("w.pth", content(huge_storage), "needs more memory than there is"),
    "ten gigabytes of bytearray": (
        "w.pth",
        content(lambda: with_pickle(calling("builtins", "bytearray", 10**10))),
        "calls bytearray",
    ),
    "a tensor of 10^10 values": (
        "w.pth",
        content(lambda: with_pickle(calling("torch", "Tensor", 10**10))),
        "calls Tensor",
    ),
    "a text of 4 GB": ("w.pth", content(lambda: with_pickle(b"\x80\x02X\xff\xff\xff\xff.")), "damaged"),
    "an empty pickle": ("w.pth", content(lambda: with_pickle(b"")), "damaged"),
    "random pickle": ("w.pth", content(lambda: with_pickle(b"\x80\x02" + bytes(range(100, 200)))), "damaged"),
    "cut off": ("w.pth", content(lambda: good_file()[:-200]), "incomplete"),
    "half of it": ("w.pth", content(lambda: good_file()[:1500]), "incomplete"),
    "cut off, legacy": (
        "w.pth",
        content(lambda: good_file(_use_new_zipfile_serialization=False)[:-99]),
        "damaged|incomplete",
    ),
    "three bytes": ("w.pth", content(b"PK\x03"), "not a file of weights"),
    "only the first bytes": ("w.pth", content(b"PK\x03\x04"), "incomplete"),
    # Files of other kinds.
    "empty file": ("w.pth", content(b""), "is empty"),
    "empty safetensors": ("w.safetensors", content(b""), "is empty"),
    "zeros": ("w.pth", content(bytes(5000)), "zero bytes"),
    "PNG": ("w.pth", content(lambda: picture("PNG")), "is a PNG image"),
    "JPEG": ("w.pth", content(lambda: picture("JPEG")), "is a JPEG image"),
    "PNG as safetensors": ("w.safetensors", content(lambda: picture("PNG")), "is a PNG image"),
    "a page": ("w.pth", content(b"\n<!DOCTYPE html><html><title>404</title>"), "is a web page"),
    "a page as safetensors": ("w.safetensors", content(b"<html>Sign in</html>"), "is a web page"),
    "LFS": (
        "w.pth",
        content(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"),
        "pointer of git LFS",
    ),
    "gzip": ("w.pth.gz", content(lambda: gzip.compress(good_file())), r"gzip(.|\n)*gunzip"),
    "xz": ("w.pth", content(b"\xfd7zXZ\x00" + bytes(99)), "xz"),
    "bzip2": ("w.pth", content(b"BZh91AY&SY" + bytes(99)), "bzip2"),
    "zstd": ("w.pth", content(b"\x28\xb5\x2f\xfd" + bytes(99)), "zstd"),
    "tar": ("w.pth.tar", content(lambda: tar({"w.pth": good_file()})), "is a tar archive"),
    "zip": ("w.zip", content(lambda: archive({"model/w.pth": good_file()})), "is a zip archive of w.pth|zip archive"),
    "npz": ("w.npz", lambda path: np.savez(path, **{k: v.numpy() for k, v in good().items()}), "NumPy"),
    "npy": ("w.npy", lambda path: np.save(path, good()["conv.weight"].numpy()), "NumPy"),
    "ONNX": ("w.onnx", content(b"\x08\x08\x12\x07pytorch\x1a\x032.0" + bytes(99)), "is an ONNX"),
    "HDF5": ("w.h5", content(b"\x89HDF\r\n\x1a\n" + bytes(99)), "HDF5"),
    "Keras": ("w.keras", content(lambda: archive({"config.json": b"{}", "model.weights.h5": b"\x89HDF"})), "Keras"),
    "TensorFlow Lite": ("w.tflite", content(b"\x1c\0\0\0TFL3" + bytes(99)), "TensorFlow Lite"),
    "GGUF": ("w.gguf", content(b"GGUF\x03\0\0\0" + bytes(99)), "GGUF"),
    "PDF": ("w.pth", content(b"%PDF-1.7" + bytes(99)), "is a PDF"),
    "JSON": ("w.json", content(b'{"hello": 1}'), "JSON"),
    "text": ("w.pth", content(b"conv.weight 1 2 3\n" * 40), "is text"),
    "a pickle": ("w.pkl", content(lambda: pickle.dumps({"conv": [1.0]})), "pickle"),
    "an old pickle": ("w.pkl", content(lambda: pickle.dumps({"conv": [1.0]}, 0)), "not a file of weights|is text"),
    "random bytes": ("w.pth", content(lambda: np.random.default_rng(0).bytes(5000)), "not a file of weights"),
    "TensorFlow's index": ("w.index", content(bytes(99) + struct.pack("<Q", 0xDB4775248B80FB57)), "TensorFlow"),
    "TorchScript": ("w.pt", script, r"TorchScript(.|\n)*torch.jit.load"),
    "torch.export": ("w.pt2", program, r"torch.export(.|\n)*torch.export.load"),
    "PyTorch as safetensors": ("w.safetensors", saved(dict), r"is a PyTorch file(.|\n)*\.pth"),
    "a folder": ("folder", folder, r"is a folder(.|\n)*model.safetensors"),
    "a named pipe": ("pipe.pth", fifo, "is a named pipe"),
    "an endless device": ("zero.pth", linked("/dev/zero"), "is a device"),
    "a broken link": ("link.pth", linked("nowhere.pth"), "weights file .*link.pth"),
    "a circle of links": ("link.pth", linked("link.pth"), "weights file .*link.pth|symbolic links"),
    "a huge sparse file": (
        "w.pth",
        eight_tebibytes,
        "zero bytes|memory",
    ),
    # safetensors.
    "offsets beyond the file": ("w.safetensors", content(claimed([4, 3, 3, 3], 10**18)), "damaged"),
    "10^15 values": ("w.safetensors", content(claimed([10**15], 4 * 10**15, bytes(64))), "damaged"),
    "overflowing shape": ("w.safetensors", content(claimed([2**40, 2**40], 0)), "damaged"),
    "negative shape": ("w.safetensors", content(claimed([-4], 16, bytes(16))), "damaged"),
    "header of 2^63 bytes": ("w.safetensors", content(safetensors({}, length=2**63)), "not a safetensors|damaged"),
    "header longer than the file": ("w.safetensors", content(safetensors({}, length=999)), "damaged"),
    "header that is no JSON": ("w.safetensors", content(safetensors(b"{hello")), "damaged"),
    "header that is a list": ("w.safetensors", content(safetensors([1])), "damaged|not a safetensors"),
    "deep header": ("w.safetensors", content(safetensors(b'{"a":' * 10**5)), "damaged"),
    "no tensors": ("w.safetensors", content(safetensors({})), "empty dictionary"),
    "unknown type": ("w.safetensors", content(claimed([4], 16, bytes(16), "F7")), "damaged"),
    "wrong entry": ("w.safetensors", content(safetensors(FALSE)), "damaged"),
    "cut off safetensors": ("w.safetensors", content(lambda: save(good())[:-10]), "damaged"),
    "more than the header says": ("w.safetensors", content(lambda: save(good()) + b"more"), "damaged"),
    # Lists of shards.
    "shards outside": (
        "w",
        lambda p: shards(p, lambda f: {**f, "conv.weight": "../../etc/passwd"}),
        "names a file .*passwd",
    ),
    "absolute shards": (
        "w",
        lambda p: shards(p, lambda f: {**f, "conv.weight": "/etc/passwd"}),
        "names a file .*passwd",
    ),
    "missing shard": ("w", lambda p: shards(p, lambda f: {**f, "conv.weight": "no.safetensors"}), "no.safetensors"),
    "numbers as shards": ("w", lambda p: shards(p, lambda f: {**f, "conv.weight": 3}), "weight_map"),
    "a list of shards": ("w", lambda p: shards(p, lambda f: list(f)), "weight_map"),
    "a tensor in no shard": ("w", lambda p: shards(p, lambda f: {**f, "more": "model-0.safetensors"}), "more"),
    "a shard that is the index": (
        "w",
        lambda p: shards(p, lambda f: {**f, "conv.bias": "model.safetensors.index.json"}),
        "not a .safetensors file",
    ),
}


def floats_of(state: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}


def views(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values in parts of a single storage."""
    whole = torch.cat([value.flatten() for value in state.values() if value.is_floating_point()])
    parts = iter(whole.split([value.numel() for value in state.values() if value.is_floating_point()]))
    return {k: next(parts).view(v.shape) if v.is_floating_point() else v for k, v in state.items()}


def legacy_head() -> bytes:
    """Magic number, protocol and system of a legacy file."""
    return b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
