"""`robust-eval convert`: a published checkpoint as a file of tensors that any tool can read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core.disk import reporting_os_errors
from robustbench_eff.core.errors import MissingInputs, UsageError

from .common import error_boundary, output


def convert(
    model: Annotated[str, typer.Argument(help="Whose weights they are, e.g. sat_effnet_b0 or debiased_resnet50.")],
    weights: Annotated[Path, typer.Argument(help="NAME.index of a TensorFlow checkpoint, or a PyTorch file.")],
    out: Annotated[Path, typer.Option(help="safetensors file.")],
    trust_checkpoint: Annotated[bool, typer.Option("--trust-checkpoint", help="Unpickle the file.")] = False,
) -> None:
    """Write a checkpoint of a published model as safetensors, every entry under the name its architecture gives it."""
    with error_boundary():
        if out.suffix != ".safetensors":
            raise UsageError(f"A safetensors file is written, got --out {out}.", "For example weights.safetensors.")
        from safetensors.torch import save_file

        from robustbench_eff.models.request import ModelRequest
        from robustbench_eff.registry import build_model

        request = ModelRequest(name=model, weights=weights, trust_checkpoint=trust_checkpoint)
        if missing := build_model.missing(request):
            raise MissingInputs(missing)
        classifier = build_model.load(request)
        tensors = {name: value.contiguous() for name, value in classifier.model.state_dict().items()}
        with reporting_os_errors(out):
            save_file(tensors, out)
        for note in classifier.provenance.notes:
            output().print(note, markup=False, highlight=False, soft_wrap=True)
        output().print(f"{len(tensors)} tensors written to {out}.", markup=False, highlight=False, soft_wrap=True)
