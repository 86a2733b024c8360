"""The small digits classifiers that are installed with the package."""

from __future__ import annotations

from robustbench_eff.core.errors import Missing

from ..aliases import checkpoints
from ..card import Card
from ..request import LoadedModule, ModelRequest
from .trained import built


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """Nothing but a weights file that was named and is not there."""
    del name
    return request.missing_weights_file()


def build(name: str, request: ModelRequest) -> LoadedModule:
    """The network with its shipped weights, or those of `--weights`."""
    folder = checkpoints()
    return built(Card.read(folder / f"{name}.json"), folder / f"{name}.safetensors", f"shipped:{name}", request)
