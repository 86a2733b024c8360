"""Networks that `robust-eval train` wrote: a folder, or one of those that are installed with the package."""

from __future__ import annotations

from pathlib import Path

from robustbench_eff import activations
from robustbench_eff.errors import Missing

from . import architectures
from .card import CARD, WEIGHTS, Card
from .request import Built, ModelRequest
from .weights import load_weights


def is_trained(name: str) -> bool:
    """Whether the name is a folder with a card."""
    return (Path(name) / CARD).is_file()


def card(name: str) -> Card:
    """The card of a folder."""
    return Card.read(Path(name) / CARD)


def missing(name: str, request: ModelRequest) -> list[Missing]:
    """The weights, where the folder has none."""
    if request.weights is not None:
        return request.missing_weights_file()
    weights = Path(name) / WEIGHTS
    how = "finish it with `robust-eval train --out` this folder"
    return [] if weights.is_file() else [Missing(f"weights {weights}", "where the training was not finished", how)]


def build(name: str, request: ModelRequest) -> Built:
    """The network of a folder."""
    folder = Path(name)
    return built(card(name), folder / WEIGHTS, f"trained:{folder.name}", request)


def built(card: Card, weights: Path, source: str, request: ModelRequest) -> Built:
    """The network that a card describes, with these weights, or those of `--weights`."""
    module = architectures.build(card.architecture, card.num_classes)
    if card.activation is not None:
        activations.smooth(module, card.activation)
    notes = load_weights(module, request.weights or weights, trust=request.trust_checkpoint)
    return Built(
        module=module.eval(),
        preprocessing=request.adapt(card.preprocessing, 1.0),
        source=source,
        label_space=card.label_space,
        notes=notes,
    )
