"""Images that a user asks to download into a folder: `--data NAME=FOLDER --download`.

Nothing is fetched unasked. A file that is there already, with the right hash, is not fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import DataError, UsageError
from robustbench_eff.system import addresses
from robustbench_eff.system.downloads import fetch

from .benchmark import Benchmark


def download_images(benchmark: Benchmark, folder: Path) -> Path:
    """Return the file of a benchmark's images in a folder, downloaded where it is not there yet.

    Args:
        benchmark: The benchmark.
        folder: Where to put the file; made where it does not exist.

    Raises:
        UsageError: No address of the images is known, or the folder cannot be written.
        DataError: The folder has a file of that name with another content.
        DownloadError: The file cannot be downloaded, or has another hash.
    """
    if len(benchmark.files) != 1:
        raise UsageError(
            f"No file of {benchmark.name} is known that could be downloaded without a click or a login.",
            f"Get it by hand: {benchmark.download_url}. Then leave out --download.",
        )
    option = f"--data {benchmark.name}=FILE"
    address = replace(addresses.parse(benchmark.files[0]), what=f"file of {benchmark.name}", option=option)
    path = folder / address.name
    if path.is_file():
        _check(path, address)
        return path
    with reporting_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        found = fetch(address)
        unfinished = path.with_name(f".{path.name}.part")
        shutil.move(found.path, unfinished)  # the cache may be on another disk
        unfinished.replace(path)
    return path


def _check(path: Path, address: addresses.Address) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != address.sha256:
        raise DataError(
            f"{path} is not the file that {address} is: its sha256 is {found}, not {address.sha256}.",
            "Delete it and repeat the command; or, if it is what you want, leave out --download.",
        )
