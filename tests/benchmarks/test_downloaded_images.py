"""`--download`: images are fetched into the user's folder when asked, continued, checked, and never unasked."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pickle
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from failing_server import FailingServer, body, cut, failing_server, file, status, tag_of
from robustbench_eff.benchmarks.definitions import cifar10, cifar100
from robustbench_eff.benchmarks.definitions.digits import DIGITS
from robustbench_eff.benchmarks.downloaded_images import download_images
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import DataError, DownloadError, UsageError
from robustbench_eff.storage.store import Store
from robustbench_eff.system import transfers


def archive() -> bytes:
    """`cifar-10-python.tar.gz` with a test batch of ten images."""
    generator = np.random.default_rng(0)
    batch = {b"data": generator.integers(0, 256, (10, 3072), dtype=np.uint8), b"labels": list(range(10))}
    meta = {b"label_names": [name.encode() for name in cifar10.CLASSES]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (("test_batch", batch), ("batches.meta", meta)):
            data = pickle.dumps(content, protocol=2)
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


ARCHIVE = archive()
SHA = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingServer]:
    """A server in the place of the one of CIFAR-10, and an empty cache."""
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfers, "PAUSE_SECONDS", 0.0)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with failing_server() as served:
        address = served.on("/kriz/cifar-10-python.tar.gz", file(ARCHIVE))
        here = dataclasses.replace(cifar10.CIFAR10, files=(f"{address}#sha256={SHA}",))
        monkeypatch.setattr(cifar10, "CIFAR10", here)
        yield served


def command(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, " ".join(found.output.split())


def test_a_command_fetches_the_images_once_and_evaluates_on_them(server: FailingServer, tmp_path: Path) -> None:
    words = ("--model", "digits_standard", "--benchmark", "cifar10", "--attack", "none", "--device", "cpu")
    words += ("--data", f"cifar10={tmp_path / 'new' / 'images'}", "--download", "--store", str(tmp_path / "store"))
    code, printed = command(*words)
    assert code == 0, printed
    (cell,) = Store(tmp_path / "store").cells().values()
    assert cell.samples == 10
    (path,) = (tmp_path / "new" / "images").iterdir()
    assert path.read_bytes() == ARCHIVE
    assert command(*words)[0] == 0
    assert len(server.asked) == 1, "the second command finds the file"
    # What the user then types without --download means the same images.
    assert command(*[word for word in words if word != "--download"])[0] == 0
    assert len(Store(tmp_path / "store").cells()) == 1


def test_without_the_option_nothing_is_asked(server: FailingServer, tmp_path: Path) -> None:
    code, printed = command(
        "--model", "digits_standard", "--benchmark", "cifar10", "--data", f"cifar10={tmp_path / 'no'}"
    )
    assert code == 2
    assert "does not exist" in printed
    assert server.asked == []


def test_a_download_that_is_cut_goes_on(server: FailingServer, tmp_path: Path) -> None:
    server.on("/kriz/cifar-10-python.tar.gz", cut(ARCHIVE, 5000, ETag=tag_of(ARCHIVE)), status(503))
    with pytest.raises(DownloadError, match="503"):
        download_images(cifar10.CIFAR10, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == [], "no half file where images are looked for"
    server.on("/kriz/cifar-10-python.tar.gz", file(ARCHIVE))
    assert download_images(cifar10.CIFAR10, tmp_path / "data").read_bytes() == ARCHIVE
    assert "range" in server.asked[-1][1]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (body(b"other"), "another content than stated"),
        (body(b"<html><title>Sign in</title>", Content_Type="text/html"), "is a web page .* not a file of cifar10"),
        (status(404), "there is no such file"),
        (status(403), r"(?s)forbids the download.*pass the file: --data cifar10=FILE"),
    ],
)
def test_what_goes_wrong_is_one_sentence(server: FailingServer, tmp_path: Path, reply, sentence: str) -> None:
    server.on("/kriz/cifar-10-python.tar.gz", reply)
    with pytest.raises(DownloadError, match=sentence) as refused:
        download_images(cifar10.CIFAR10, tmp_path)
    assert "weights" not in str(refused.value)
    assert not (tmp_path / "cifar-10-python.tar.gz").exists()


def test_offline_means_offline(server: FailingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"(?s)HF_HUB_OFFLINE forbids.*--data cifar10=FILE"):
        download_images(cifar10.CIFAR10, tmp_path)
    assert server.asked == []


def test_a_file_of_that_name_with_another_content_is_not_overwritten(server: FailingServer, tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"is not the file that .* is: its sha256 is"):
        download_images(cifar10.CIFAR10, tmp_path)
    assert (tmp_path / "cifar-10-python.tar.gz").read_bytes() == b"mine"
    with pytest.raises(UsageError, match="cannot be written"):
        download_images(cifar10.CIFAR10, tmp_path / "cifar-10-python.tar.gz" / "below")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--download",), "--download needs the folder"),
        (("--data", "cifar10=hf:uoft-cs/cifar10", "--download"), "is not a folder to download into"),
        (("--data", "digits=x", "--download"), "No file of digits is known"),
        (("--data", "cifar10-c=x", "--download"), "No file of cifar10-c is known.*zenodo"),
    ],
)
def test_what_cannot_be_downloaded_says_where_it_is(words: tuple[str, ...], sentence: str) -> None:
    code, printed = command("--model", "digits_standard", *words)
    assert code == 2
    assert re.search(sentence, printed)


def test_only_the_sets_themselves_have_files() -> None:
    assert cifar100.CIFAR100.files != cifar10.CIFAR10.files
    assert "cifar-100-python" in cifar100.CIFAR100.files[0]
    assert cifar10.CIFAR10_C.files == cifar10.CIFAR10_P.files == cifar100.CIFAR100_C.files == DIGITS.files == ()
