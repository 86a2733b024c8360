"""Read every odd file of a table under a watchdog; run as a script with the names of a module and its table."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import datasets  # imported here, once for all files
import scipy.io  # noqa: F401
import torch

from read_images import read_images
from strange_files import Strange
from watchdog import limit_memory, main


def _work(strange: Strange, read: Callable[[Path], str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ROBUST_EVAL_CACHE"] = str(Path(folder) / "cache")
        path = strange.make(Path(folder))
        limit_memory()
        return read(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    module, *names = sys.argv[1:]
    loaded = importlib.import_module(module)
    read: Callable[[Path], str] = getattr(loaded, "read", read_images)
    tables: list[Mapping[str, Strange]] = [getattr(loaded, name) for name in names]
    main({name: partial(_work, strange, read) for table in tables for name, strange in table.items()})
