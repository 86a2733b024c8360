"""`shipped:NAME`: the small digits classifiers that are installed with the package."""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_eff.core.errors import Missing

from ..aliases import checkpoints
from ..request import LoadedModule, ModelRequest
from .trained import build_from_card


@dataclass(frozen=True, slots=True)
class ShippedModels:
    """The networks in the package's folder of checkpoints. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file of `--weights` if it does not exist. See `ModelSource`.

        Args:
            target: Name of the shipped network.
            request: The user's options.
        """
        del target
        return request.missing_weights_file()

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network with its shipped weights or those of `--weights`. See `ModelSource`.

        Args:
            target: Name of the shipped network.
            request: The user's options.
        """
        folder = checkpoints()
        return build_from_card(
            folder / f"{target}.json", folder / f"{target}.safetensors", f"shipped:{target}", request
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return `digits`. See `ModelSource`.

        Args:
            target: Name of the shipped network.
            request: The user's options.
        """
        del target, request
        return "digits"


SHIPPED = ShippedModels()
