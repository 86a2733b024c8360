"""Damaged TensorFlow checkpoints give one sentence, in time that is linear in their size."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robustbench_eff import load_classifier
from robustbench_eff.core.crc32c import crc32c
from robustbench_eff.core.errors import ModelError
from robustbench_eff.models.sources.tf_bundle import read_bundle
from sat_bundles import entry, header, write_bundle, write_table
from strange_bundles import BUNDLES, VALUES


@pytest.fixture(autouse=True)
def _no_endless_test() -> Iterator[None]:
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_damaged_checkpoint_gives_a_sentence(name: str, tmp_path: Path) -> None:
    write, words = BUNDLES[name]
    with pytest.raises(ModelError, match=words):
        read_bundle(write(tmp_path))


def test_every_flipped_bit_of_a_checkpoint_is_said(tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "model", VALUES)
    table = index.read_bytes()
    used = len(table[-48:-8].rstrip(b"\0"))  # the two handles of the footer
    unused = range(len(table) - 48 + used, len(table) - 8)
    for path in (index, index.with_suffix(".data-00000-of-00001")):
        content = path.read_bytes()
        for position in range(len(content)):
            if path == index and position in unused:
                continue
            path.write_bytes(content[:position] + bytes([content[position] ^ 16]) + content[position + 1 :])
            with pytest.raises(ModelError):
                read_bundle(index)
        path.write_bytes(content)
    assert read_bundle(index).keys() == VALUES.keys()


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.index")
    (tmp_path / "zero.index").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a named pipe"), ("zero", "a device")):
        with pytest.raises(ModelError, match=f"is {kind}, not a file"):
            load_classifier("sat_effnet_b0", weights=tmp_path / f"{name}.index")


def test_other_files_of_a_checkpoint_point_to_its_index(tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "model.ckpt-9", VALUES)
    with pytest.raises(ModelError, match=r"is not the index of the checkpoint.\nGive NAME.index"):
        load_classifier("sat_effnet_b0", weights=index.with_suffix(".data-00000-of-00001"))


def test_a_variable_without_a_checksum_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.data-00000-of-00001").write_bytes(np.float32(3).tobytes())
    index = write_table(tmp_path / "model.index", [[header(), (b"a", entry(1, (), 0, 4, None))]])
    assert read_bundle(index) == {"a": np.float32(3)}


def test_checksums_are_those_of_the_standard() -> None:
    """RFC 3720, appendix B.4, and the check value of the polynomial."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 5000, 2**24 + 3000])
def test_checksums_of_long_contents_are_those_of_their_parts(size: int) -> None:
    """A checksum of all bytes followed by itself, lowest byte first, is the same for every content."""
    content = np.random.default_rng(0).bytes(size)
    assert crc32c(content + crc32c(content).to_bytes(4, "little")) == 0x48674BC7
