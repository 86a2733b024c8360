"""The small digits classifiers that are installed with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

from robustbench_eff.errors import Missing
from robustbench_eff.preprocessing import Geometry, Preprocessing

from .request import Built, ModelRequest
from .small_cnn import SmallCNN
from .weights import load_weights

PREPROCESSING = Preprocessing(geometry=Geometry(size=32, mode="none"), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """Nothing but a weights file that was named and is not there."""
    del name
    return request.missing_weights_file()


def build(name: str, request: ModelRequest) -> Built:
    """The network with its shipped weights, or those of `--weights`."""
    module = SmallCNN().eval()
    with as_file(files("robustbench_eff.defenses") / "checkpoints" / f"{name}.safetensors") as own:
        notes = load_weights(module, request.weights or own, trust=request.trust_checkpoint)
    return Built(
        module=module,
        preprocessing=request.adapt(PREPROCESSING, 1.0),
        source=f"shipped:{name}",
        label_space="digits",
        notes=notes,
    )
