"""What makes a model that model: its weights, its structure, and the user's code behind it."""

from __future__ import annotations

import hashlib
import inspect
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robustbench_eff.errors import RobustEvalWarning

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_PACKAGE = Path(__file__).parent.resolve()


def model_digest(model: nn.Module, weights: str, source: str) -> str:
    """A hash of weights, structure, plain attributes, and every file of the user's that was loaded with the model.

    `weights` is what `weights_digest` said of it.
    Installed packages are not hashed: their versions are in the manifest of each run.
    """
    digest = hashlib.blake2b(f"{source}\n{model!r}\n{weights}\n".encode(), digest_size=16)
    for name, module in model.named_modules():
        plain = {key: value for key, value in sorted(vars(module).items()) if _is_plain(key, value)}
        digest.update(f"{name} {type(module).__qualname__} {plain!r}\n".encode())
    for path in _user_files(model):
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


def _is_plain(key: str, value: Any) -> bool:
    """Numbers and words a module keeps beside its tensors, such as a slope or a mode."""
    if isinstance(value, (tuple, list)):
        return not key.startswith("_") and all(_is_plain(key, item) for item in value)
    return not key.startswith("_") and key != "training" and isinstance(value, (bool, int, float, str, type(None)))


def _user_files(model: nn.Module) -> list[Path]:
    """The loaded files beside or below the files of the model's own classes, installed packages left out."""
    folders = set()
    for kind in {type(module) for module in model.modules()}:
        try:
            path = Path(inspect.getfile(kind)).resolve()
        except (TypeError, OSError):
            path = Path("<unknown>")
        if not path.is_file():
            warnings.warn(
                f"The code of {kind.__qualname__} cannot be read, so a change of it would not be noticed: "
                "only its weights and structure identify the model.",
                RobustEvalWarning,
                stacklevel=4,
            )
        elif _is_users(path):
            folders.add(path.parent)
    named = [getattr(module, "__file__", None) for module in tuple(sys.modules.values())]
    loaded = {Path(name).resolve() for name in named if isinstance(name, str)}
    return sorted(path for path in loaded if _is_users(path) and folders & set(path.parents) and path.is_file())


def _is_users(path: Path) -> bool:
    return not any(root in path.parents for root in (*_INSTALLED, _PACKAGE))
