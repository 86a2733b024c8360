"""What makes a model that model: its weights, its structure, and the user's code behind it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import RobustEvalWarning

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}
"""Into which the bits of a number are read, by its size in bytes."""
_PACKAGE = Path(__file__).parents[1].resolve()


def model_digest(model: nn.Module, weights: str, source: str, code: Path | None = None) -> str:
    """A hash of weights, structure, plain attributes, and the user's files that the model is made of.

    `weights` is what `weights_digest` said of it, `code` the file that built it.
    Installed packages are not hashed: their versions are in the manifest of each run.
    """
    digest = hashlib.blake2b(f"{source}\n{model!r}\n{weights}\n".encode(), digest_size=16)
    for name, module in model.named_modules():
        plain = {key: value for key, value in sorted(vars(module).items()) if _is_plain(key, value)}
        digest.update(f"{name} {type(module).__qualname__} {plain!r}\n".encode())
    for path in _user_files(model, code):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def weights_digest(model: nn.Module) -> str:
    """A hash of every parameter and buffer alone."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        else:
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


def weights_sums(model: nn.Module) -> list[int]:
    """The sum of the bits of every parameter and buffer, taken where they lie: nearly every change shows in it."""
    tensors = [value.detach() for _, value in sorted(model.state_dict().items()) if isinstance(value, Tensor)]
    sums = [
        value.contiguous().flatten().view(_INTEGERS[value.element_size()]).sum(dtype=torch.int64) for value in tensors
    ]
    return [int(total) for total in sums]


def _is_plain(key: str, value: Any) -> bool:
    """Numbers and words a module keeps beside its tensors, such as a slope or a mode."""
    if isinstance(value, (tuple, list)):
        return not key.startswith("_") and all(_is_plain(key, item) for item in value)
    return not key.startswith("_") and key != "training" and isinstance(value, (bool, int, float, str, type(None)))


def _user_files(model: nn.Module, code: Path | None) -> list[Path]:
    """The files of the model's own classes and of what built it, and all that they import; installed packages left out.

    What else the process has loaded does not count.
    """
    found, ahead = set[Path](), [] if code is None else [code.resolve()]
    for kind in {type(module) for module in model.modules()}:
        try:
            path = Path(inspect.getfile(kind)).resolve()
        except (TypeError, OSError):
            path = Path("<unknown>")
        if path.is_file():
            ahead.append(path)
        else:
            warnings.warn(
                f"The code of {kind.__qualname__} cannot be read, so a change of it would not be noticed: "
                "only its weights and structure identify the model.",
                RobustEvalWarning,
                stacklevel=4,
            )
    while ahead:
        path = ahead.pop()
        if path not in found and _is_users(path):
            found.add(path)
            ahead.extend(_imported_files(path))
    return sorted(found)


def _imported_files(path: Path) -> Iterator[Path]:
    """The files that the import statements of a file name; none of what is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    top = next(folder for folder in path.parents if not (folder / "__init__.py").is_file())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name, [top, *map(Path, sys.path)])
        elif isinstance(node, ast.ImportFrom):
            folders = [path.parents[node.level - 1]] if node.level else [top, *map(Path, sys.path)]
            for alias in node.names:
                yield from _files_of(".".join(filter(None, (node.module, alias.name))), folders)


def _files_of(name: str, folders: Sequence[Path]) -> list[Path]:
    """The files of a module and of the packages around it, in the first folder that has any."""
    parts = name.split(".")
    for folder in folders:
        stems = [folder.joinpath(*parts[:length]) for length in range(1, len(parts) + 1)]
        files = [file for stem in stems for file in (stem.parent / f"{stem.name}.py", stem / "__init__.py")]
        if there := [file.resolve() for file in files if file.is_file()]:
            return there
    return []


def _is_users(path: Path) -> bool:
    packages = {"site-packages", "dist-packages"}
    return packages.isdisjoint(path.parts) and not any(root in path.parents for root in (*_INSTALLED, _PACKAGE))
