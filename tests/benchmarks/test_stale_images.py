"""What is read is what lies on the disk now, and nothing is fetched that nobody asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelled_sets import class_folders, flat_csv, npz, pixels, png, prepared
from robustbench_eff.core.errors import DataError, RobustEvalError
from robustbench_eff.registry.open_benchmark import missing_data, open_location
from robustbench_eff.system import network


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The requests that reach a server of this machine, which is also the proxy for every other one."""
    asked: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_CONNECT = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, address)
    monkeypatch.setattr(urllib.request, "_opener", None)  # `urlopen` keeps its first one, with the proxies of that time
    asked.append(address)
    yield asked
    server.shutdown()
    server.server_close()


def rows(*seeds: int, label: int = 0) -> pa.Table:
    return pa.table({"image": [{"bytes": png(seed), "path": None} for seed in seeds], "label": [label] * len(seeds)})


def named(*files: Path, text: bool = False) -> pa.Table:
    images = [str(file) if text else {"bytes": None, "path": str(file)} for file in files]
    return pa.table({"image": images, "label": list(range(len(files)))})


def seen(where: Path) -> list[int]:
    """The seed of every image that is read."""
    return [
        next(seed for seed in range(99) if np.array_equal(image, pixels(seed))) for image in prepared(where).pixels[:]
    ]


def with_its_time(file: Path, write: Callable[[], object]) -> None:
    """Write a file again, with the time of its last change put back as `cp -p` and `rsync -t` do."""
    before = file.stat()
    write()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_parquet_file_of_the_same_time_and_size_is_read_anew_with_its_labels(tmp_path: Path) -> None:
    file = tmp_path / "test.parquet"
    pq.write_table(rows(0, 1), file, compression="none")
    size = file.stat().st_size
    assert seen(file) == [0, 1]
    with_its_time(file, lambda: pq.write_table(rows(2, 3, label=1), file, compression="none"))
    assert file.stat().st_size == size
    assert seen(file) == [2, 3]
    assert prepared(file).labels.tolist() == [1, 1]


@pytest.mark.parametrize("text", [False, True])
def test_images_that_a_parquet_file_names_are_in_the_stamp(tmp_path: Path, text: bool) -> None:
    images = [tmp_path / f"{seed}.png" for seed in (0, 1)]
    for seed, image in enumerate(images):
        image.write_bytes(png(seed))
    pq.write_table(named(*images, text=text), tmp_path / "test.parquet")
    assert seen(tmp_path / "test.parquet") == [0, 1]
    with_its_time(images[0], lambda: images[0].write_bytes(png(7)))
    assert seen(tmp_path / "test.parquet") == [7, 1]


def test_images_that_a_saved_set_names_are_in_the_stamp(tmp_path: Path) -> None:
    from datasets import Dataset

    (tmp_path / "0.png").write_bytes(png(0))
    Dataset.from_dict({"image": [str(tmp_path / "0.png")], "label": [0]}).save_to_disk(str(tmp_path / "set"))
    assert seen(tmp_path / "set") == [0]
    (tmp_path / "0.png").write_bytes(png(9))
    assert seen(tmp_path / "set") == [9]


def described(folder: Path, place: str, file: str = "README.md") -> Path:
    """A folder with one Parquet file, whose description names another."""
    folder.mkdir()
    pq.write_table(rows(0), folder / "test.parquet")
    text = f"configs:\n- config_name: default\n  data_files:\n  - split: test\n    path: {place}\n"
    (folder / file).write_text(f"---\n{text}---\n" if file.endswith(".md") else text)
    return folder


def test_data_files_that_a_description_names_elsewhere_are_in_the_stamp(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "real.parquet"
    elsewhere.parent.mkdir()
    pq.write_table(rows(4, 5), elsewhere)
    folder = described(tmp_path / "set", str(elsewhere))
    assert seen(folder) == [4, 5]
    with_its_time(elsewhere, lambda: pq.write_table(rows(6, 7), elsewhere))
    assert seen(folder) == [6, 7]


@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize("form", ["{}/x.parquet", "hf://datasets/a/b/x.parquet", "zip://x.parquet::{}/x.zip"])
def test_a_local_folder_never_makes_a_request(tmp_path: Path, requests: list[str], file: str, form: str) -> None:
    address = requests.pop()
    with pytest.raises(DataError, match=r"nothing is fetched for a local folder(.|\n)*Pass a single data file"):
        prepared(described(tmp_path / "set", form.format(address), file))
    assert seen(tmp_path / "set" / "test.parquet") == [0], "the hint works"
    assert requests == []


def test_images_named_by_addresses_are_refused(tmp_path: Path, requests: list[str]) -> None:
    address = requests.pop()
    pq.write_table(named(Path(f"{address}/0.png"), text=True), tmp_path / "a.parquet")
    table = pa.table({"image": [f"{address}/0.png"], "label": [0]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"names the image http.*are not fetched"):
        prepared(tmp_path / "a.parquet")
    (tmp_path / "labels.csv").write_text(f"filename,label\n{address}/0.png,0\n")
    with pytest.raises(DataError, match="which is not in"):
        prepared(tmp_path / "labels.csv")
    assert requests == []


def test_code_in_a_folder_is_not_run(tmp_path: Path, requests: list[str]) -> None:
    requests.clear()
    (tmp_path / "set").mkdir()
    pq.write_table(rows(0), tmp_path / "set" / "test.parquet")
    (tmp_path / "set" / "set.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError, match="scripts are no longer supported"):
        prepared(tmp_path / "set")
    assert not (tmp_path / "ran").exists()
    assert requests == []


@pytest.mark.parametrize("variable", network.OFFLINE)
def test_offline_modes_are_obeyed(requests: list[str], monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    requests.clear()
    monkeypatch.setenv(variable, "1")
    from labelled_sets import own

    (missing,) = missing_data(own("hf:nobody/has-this"), "hf:nobody/has-this")
    assert missing.what == f"dataset 'mine': nobody/has-this is not in the cache, and {variable} is set"
    assert not network.reachable("huggingface.co")
    assert requests == []
    monkeypatch.setenv(variable, "0")
    assert network.offline() == ""


def test_the_server_of_these_tests_would_hear_a_request(requests: list[str]) -> None:
    from urllib.request import urlopen

    requests.clear()
    with pytest.raises(OSError, match="404"):
        urlopen("http://huggingface.co/x", timeout=5)
    assert requests == ["GET http://huggingface.co/x"]


def links(folder: Path) -> tuple[Path, Path]:
    """Class folders, one of which is a link to a folder elsewhere, in which one image is a link."""
    class_folders(folder / "far", ["0"])
    (folder / "far" / "0" / "0.png").rename(folder / "real.png")
    (folder / "far" / "0" / "0.png").symlink_to(folder / "real.png")
    (folder / "set").mkdir()
    (folder / "set" / "0").symlink_to(folder / "far" / "0")
    return folder / "set", folder / "real.png"


def listed(folder: Path) -> tuple[Path, Path]:
    flat_csv(folder / "set")
    return folder / "set", folder / "set" / "0.png"


@pytest.mark.parametrize("make", [links, listed])
def test_the_file_behind_a_link_or_a_list_is_in_the_stamp(
    tmp_path: Path, make: Callable[[Path], tuple[Path, Path]]
) -> None:
    where, image = make(tmp_path)
    assert seen(where)[0] == 0
    with_its_time(image, lambda: image.write_bytes(png(8)))
    assert seen(where)[0] == 8
    replacement = tmp_path / "replacement.png"
    replacement.write_bytes(png(9))
    shutil.copystat(image, replacement)
    replacement.replace(image)  # as git and rsync write: another file under the same name
    assert seen(where)[0] == 9


def test_labels_beside_arrays_are_read_anew(tmp_path: Path) -> None:
    where = npz(tmp_path / "set")
    content = dict(np.load(where))
    assert prepared(where).labels.tolist() == [0, 1, 2, 0, 1, 2]
    with_its_time(where, lambda: np.savez(where, x=content["x"], y=content["y"][::-1]))
    assert prepared(where).labels.tolist() == [2, 1, 0, 2, 1, 0]


ENDLESS = textwrap.dedent(
    """
    import sys
    from labelled_sets import prepared
    from robustbench_eff.core.errors import RobustEvalError
    for where in sys.argv[1:]:
        try:
            print("READ", prepared(where))
        except RobustEvalError as error:
            print(str(error).replace(chr(10), " "))
    """
)


def test_pipes_and_devices_end_in_a_sentence(tmp_path: Path) -> None:
    """In a process of its own, because a pipe that is opened blocks for ever."""
    places, pipes = [], ("a.npz", "a.parquet", "a.tar", "a.csv", "a", "test_batch.bin", "test_32x32.mat")
    for name in pipes:
        os.mkfifo(tmp_path / name)
        places.append(tmp_path / name)
    for number, name in enumerate(("0/a.png", "b.parquet", "labels.csv", "x.npy", "b.tar", "README.md")):
        folder = tmp_path / f"folder{number}"
        class_folders(folder, ["0", "1"])
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
        places.append(folder)
    (tmp_path / "devices" / "0").mkdir(parents=True)
    (tmp_path / "devices" / "0" / "a.png").symlink_to("/dev/zero")
    places += [tmp_path / "devices", Path("/dev/zero")]
    path = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-c", ENDLESS, *map(str, places)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=100, check=True
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(places) == 15
    for place, answer in zip(places, answers, strict=True):
        if place.name in ("folder2", "folder3", "folder4", "folder5"):  # class folders beside a pipe that is ignored
            assert answer.startswith("READ"), answer
        else:
            what = "a device" if place.name in ("devices", "zero") else "a named pipe"
            assert f"is {what}, not a file. Write its content to a file" in answer


def test_a_location_that_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from robustbench_eff.benchmarks import locations

    monkeypatch.chdir(tmp_path)
    for content in ("data:\n  imagenet:\n", "data:\n  imagenet: [a]\n", "data: 5\n", "data:\n  a: b\n  a: c\n"):
        (tmp_path / "robust-eval.yaml").write_text(content)
        with pytest.raises(RobustEvalError, match=r"must map|twice"):
            locations.from_config()


def test_an_absent_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    pq.write_table(named(tmp_path / "absent.png"), tmp_path / "a.parquet")
    assert len(open_location(str(tmp_path / "a.parquet"), "test")) == 1
    with pytest.raises(DataError, match="No such file"):
        prepared(tmp_path / "a.parquet")
