"""`robust-eval convert`: a published checkpoint as a safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robustbench_eff.core.errors import MissingInputs, UsageError
from robustbench_eff.core.result_file import refuse_to_overwrite, write_result

from .common import error_boundary, output_console, print_line
from .options import TrustCodeOption


def convert(
    model: Annotated[
        str, typer.Argument(help="Model that the checkpoint belongs to, such as sat_effnet_b0 or debiased_resnet50.")
    ],
    weights: Annotated[
        Path, typer.Argument(help="Checkpoint or its address: NAME.index of TensorFlow, or a PyTorch file.")
    ],
    out: Annotated[Path, typer.Option(help="safetensors file to write.")],
    trust_checkpoint: Annotated[
        bool, typer.Option("--trust-checkpoint", help="Unpickle the checkpoint, which can run code.")
    ] = False,
    trust_code: TrustCodeOption = False,
) -> None:
    """Write the checkpoint of a published model as safetensors, with the parameter names of its architecture."""
    with error_boundary():
        if out.suffix != ".safetensors":
            raise UsageError(f"--out must be a .safetensors file, got {out}.", "For example weights.safetensors.")
        refuse_to_overwrite(out, [model, weights])
        from safetensors.torch import save

        from robustbench_eff.models.request import ModelRequest, weights_fields
        from robustbench_eff.registry import build_model

        request = ModelRequest(
            name=model, **weights_fields(weights), trust_checkpoint=trust_checkpoint, trust_code=trust_code
        )
        if missing := build_model.missing(request):
            raise MissingInputs(missing)
        classifier = build_model.load(request)
        tensors = {name: value.contiguous() for name, value in classifier.model.state_dict().items()}
        write_result(out, save(tensors))
        for note in classifier.provenance.notes:
            print_line(output_console(), note)
        print_line(output_console(), f"{len(tensors)} tensors written to {out}.")
