"""Networks that `robust-eval train` wrote: a folder, or one of those that are installed with the package."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff.core import activations
from robustbench_eff.core.errors import Missing

from .. import architectures
from ..card import CARD, WEIGHTS, Card
from ..request import LoadedModule, ModelRequest
from ..weights import load_weights


def is_trained(name: str) -> bool:
    """Whether the name is a folder that a training wrote, be it finished or not."""
    return (Path(name) / CARD).is_file() or any(Path(name).glob("training-*.pt"))


def card(name: str) -> Card:
    """The card of a folder."""
    return Card.read(Path(name) / CARD)


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """The card or the weights, where the training was not finished."""
    absent = request.missing_weights_file()
    files = [Path(name) / CARD, *([Path(name) / WEIGHTS] if request.weights is None else [])]
    how = f"repeat the command that trains {name}: it goes on where it stopped"
    return absent + [
        Missing(str(file), "written when the training is finished", how) for file in files if not file.is_file()
    ]


def build(name: str, request: ModelRequest) -> LoadedModule:
    """The network of a folder."""
    folder = Path(name)
    return built(card(name), folder / WEIGHTS, f"trained:{folder.name}", request)


def built(card: Card, weights: Path, source: str, request: ModelRequest) -> LoadedModule:
    """The network that a card describes, with these weights, or those of `--weights`."""
    module = architectures.build(card.architecture, card.num_classes)
    if card.activation is not None:
        activations.smooth_activations(module, card.activation)
    notes = load_weights(module, request.weights or weights, trust=request.trust_checkpoint)
    return LoadedModule(
        module=module.eval(),
        preprocessing=request.adapt(card.preprocessing, 1.0),
        source=source,
        label_space=card.label_space,
        notes=notes,
    )
