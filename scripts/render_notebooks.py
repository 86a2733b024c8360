"""Run the notebooks of the documentation and write each as a page, with what it printed and drew.

    python scripts/render_notebooks.py [--out docs/notebooks]

The notebooks in the repository have no outputs. A page is kept in `build/notebooks` until its notebook or the package
changes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
KEPT = ROOT / "build" / "notebooks"
SOURCES = ("attacks", "corruptions", "robustbench_eff", "scripts")
"""Folders whose files decide what a page shows, besides its notebook."""
FRAME = re.compile(r'<div>\n<style scoped>.*?</style>\n<table border="1" class="dataframe">', re.DOTALL)
"""The beginning of a data frame, which pandas styles itself."""
TIMEOUT = 300
"""Seconds after which a cell fails, generous because the machine may be busy."""


def main() -> None:
    """Write the page of every notebook."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=NOTEBOOKS)
    out = parser.parse_args().out
    states = {notebook: KEPT / _state(notebook) for notebook in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for old in KEPT.glob("*"):
        if old not in states.values():
            shutil.rmtree(old)
    for notebook, state in states.items():
        if not state.exists():
            _render(notebook, state)
        shutil.copytree(state, out, dirs_exist_ok=True)


def _render(notebook: Path, state: Path) -> None:
    """Run a notebook in an empty folder, and write its page and pictures."""
    opened = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        connection = f"{folder}/kernel.json"
        kernel = KernelManager(transport="ipc", connection_file=connection)  # no port, which others could reach
        try:
            ExecutePreprocessor(timeout=TIMEOUT).preprocess(opened, {"metadata": {"path": folder}}, km=kernel)
        finally:
            kernel.shutdown_kernel(now=True)
    exporter = MarkdownExporter()
    text, resources = exporter.from_notebook_node(opened, {"output_files_dir": f"{notebook.stem}-files"})
    pages = state.with_name(f"{state.name}-unfinished")
    shutil.rmtree(pages, ignore_errors=True)
    for name, content in resources["outputs"].items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_bytes(content)
    title, _, rest = FRAME.sub('<div class="frame">\n<table>', text).partition("\n")
    link = f"This page is a [notebook]({notebook.name}), run when the site was built."
    pages.mkdir(parents=True, exist_ok=True)
    (pages / f"{notebook.stem}.md").write_text(f"{title}\n\n{link}\n{rest}")
    pages.rename(state)


def _state(notebook: Path) -> str:
    """A hash of a notebook and of the code that it runs."""
    digest = hashlib.blake2b(notebook.read_bytes(), digest_size=8)
    for path in _code():
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def _code() -> Iterator[Path]:
    for folder in SOURCES:
        yield from sorted((ROOT / folder).rglob("*.py"))


if __name__ == "__main__":
    main()
