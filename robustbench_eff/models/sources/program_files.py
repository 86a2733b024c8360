"""`torchscript:FILE` and `exported:FILE`: networks that are saved as programs of torch, with gradients."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from robustbench_eff.core.errors import Missing, ModelError, reason

from ..assumed import PIXELS
from ..exported import as_module, fixed_batch, set_eval, stated_size
from ..model_file import missing_file, preprocessing_for, read_model, source_of
from ..request import LoadedModule, ModelRequest


@dataclass(frozen=True, slots=True)
class ProgramFiles:
    """Networks of one kind of program, by their files. See `ModelSource`.

    Such a file is a program: one that a suite or a card names is loaded only with `--trust-code`.
    """

    prefix: str
    """Prefix of the source: `torchscript` or `exported`."""
    kind: str
    """What the files are, for messages."""
    load: Callable[[IO[bytes]], Any]
    """Returns the program of an open file on the CPU."""
    saved_by: str
    """What writes such files."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file if it does not exist. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.

        Raises:
            UsageError: A file names the program, and is not trusted.
        """
        request.origin.check(target, "")
        return missing_file(target, request)

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network of a file. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        request.origin.check(target, "")
        file = Path(target).expanduser()
        content = read_model(file)
        try:
            module = as_module(self.load(io.BytesIO(content)))
        except Exception as error:  # damaged archives raise errors of any class, some of torch's own
            raise ModelError(
                f"{file} is not a file of {self.kind}, or is damaged: {reason(error)}",
                f"It must be written by {self.saved_by}.",
            ) from error
        if not isinstance(module, nn.Module):
            raise ModelError(f"{file} holds a {type(module).__name__}, not a network.")
        set_eval(module)
        size, batch = stated_size(module), fixed_batch(module)
        return LoadedModule(
            module=module if batch is None else InBatches(module, batch),
            preprocessing=preprocessing_for(request, size, 3),
            source=source_of(self.prefix, content),
            label_space=request.label_space("custom"),
            notes=() if request.mean is not None else (PIXELS,),
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes suggests, `custom` by default. See `ModelSource`.

        Args:
            target: Path of the file.
            request: The user's options.
        """
        del target
        return request.label_space("custom")


class InBatches(nn.Module):
    """A network that takes batches of one size alone; the last batch is filled up with copies of its last image."""

    def __init__(self, network: nn.Module, size: int) -> None:
        """Wrap a network, in eval mode.

        Args:
            network: Network that returns one tensor.
            size: Number of images that it takes.
        """
        super().__init__()
        self.network, self.size = network, size
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """Return the answers to any number of images, shape (batch, classes).

        Args:
            images: Normalized images.
        """
        lacking = -len(images) % self.size
        filled = torch.cat((images, images[-1:].expand(lacking, *images.shape[1:])))
        return torch.cat([self.network(batch) for batch in filled.split(self.size)])[: len(images)]


def _scripted(file: IO[bytes]) -> Any:
    return torch.jit.load(file, map_location="cpu")


def _exported(file: IO[bytes]) -> Any:
    return torch.export.load(file)


TORCHSCRIPT_FILES = ProgramFiles("torchscript", "TorchScript", _scripted, "torch.jit.save")
EXPORTED_FILES = ProgramFiles("exported", "torch.export", _exported, "torch.export.save")
