"""A safetensors file begins with the length of its header, whatever else these bytes may look like."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.tensor_files import read_tensor_file


def padded(path: Path, length: int) -> Path:
    """A file whose header has `length` bytes."""
    for spaces in range(length):
        save_file({"weight": torch.ones(2)}, path, {"note": " " * spaces})
        if int.from_bytes(path.read_bytes()[:8], "little") == length:
            return path
    raise AssertionError


@pytest.mark.parametrize("length", [128, 136, 384, 640])
def test_every_length_of_the_header_is_read(length: int, tmp_path: Path) -> None:
    """128 and 640 begin as pickles do."""
    assert read_tensor_file(padded(tmp_path / "w.safetensors", length), ModelError)["weight"].tolist() == [1.0, 1.0]


def test_one_that_is_cut_short_is_damaged(tmp_path: Path) -> None:
    file = padded(tmp_path / "w.safetensors", 128)
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ModelError, match="is damaged"):
        read_tensor_file(file, ModelError)
