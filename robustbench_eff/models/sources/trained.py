"""Networks that `robust-eval train` wrote, by their folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from robustbench_eff.core import activations
from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import Missing, ModelError
from robustbench_eff.core.outside_files import check_file
from robustbench_eff.core.user_code import split_place

from .. import architectures
from ..card import CARD, WEIGHTS, Card
from ..request import LoadedModule, ModelRequest
from ..weights import load_weights


def is_trained(name: str) -> bool:
    """Return True for a folder that a training wrote, finished or not.

    Args:
        name: Name of a model, as the user wrote it.
    """
    return (Path(name) / CARD).is_file() or any(Path(name).glob("training-*.pt"))


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """Folders that a training wrote. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the card and the weights if the training is not finished. See `ModelSource`.

        Args:
            target: Folder of the training.
            request: The user's options.

        Raises:
            UsageError: The architecture is a program, and the user does not trust the card.
        """
        _check_architecture(Path(target) / CARD, request)
        files = [Path(target) / CARD, *([Path(target) / WEIGHTS] if request.weights is None else [])]
        how = f"repeat the command that trains {target}: it resumes"
        return request.missing_weights_file() + [
            Missing(str(file), "written when the training is finished", how) for file in files if not file.is_file()
        ]

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network of a folder. See `ModelSource`.

        Args:
            target: Folder of the training.
            request: The user's options.
        """
        folder = Path(target)
        return build_from_card(folder / CARD, folder / WEIGHTS, f"trained:{folder.name}", request)

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return the label space of the card, or a guess if the training is not finished. See `ModelSource`.

        Args:
            target: Folder of the training.
            request: The user's options.
        """
        if self.missing(target, request):
            return request.label_space("imagenet")
        return Card.read(Path(target) / CARD).label_space


TRAINED = TrainedModels()


def _check_architecture(file: Path, request: ModelRequest) -> None:
    """Refuse a program that a card names before anything else is done; without a card there is nothing to refuse."""
    code = architectures.users_code(Card.read(file).architecture) if file.is_file() else None
    if code is not None:
        CodeOrigin(str(file), request.trust_code).check(*split_place(code.name))


def build_from_card(file: Path, weights: Path, source: str, request: ModelRequest) -> LoadedModule:
    """Return the network that a card describes.

    Args:
        file: Card of the network.
        weights: File of its weights, unless the request names another one.
        source: How manifests name the network, such as `trained:mine`.
        request: The user's options.

    Raises:
        ModelError: The file is not a card, the network cannot be built, or the weights do not fit it.
        UsageError: The architecture is a program, and the user does not trust the card; or there are model arguments.
    """
    card = Card.read(file)
    request.refuse_model_args(f"its card says which network it is, {card.architecture}")
    weights = request.weights or weights
    check_file(weights, ModelError)
    _check_size(card, weights)
    module = architectures.build(card.architecture, card.num_classes, CodeOrigin(str(file), request.trust_code))
    if card.activation is not None:
        activations.smooth_activations(module, card.activation)
    notes = load_weights(module, weights, trust=request.trust_checkpoint)
    return LoadedModule(
        module=module.eval(),
        preprocessing=request.adapt(card.preprocessing, 1.0),
        source=source,
        label_space=card.label_space,
        class_names=card.class_names,
        notes=notes,
        all_loaded=True,
        architecture=card.architecture,
        defense=card.defense,
    )


def _check_size(card: Card, weights: Path) -> None:
    """Refuse a card that describes a larger network than the file can hold, before it takes memory."""
    if ":" in card.architecture:  # another library's or the user's network may need values to be built
        return
    with torch.device("meta"):
        module = architectures.build(card.architecture, card.num_classes)
    numbers, size = sum(parameter.numel() for parameter in module.parameters()), weights.stat().st_size
    if numbers > size:
        raise ModelError(
            f"The card of {card.name} describes {numbers:,} numbers, and {weights} has {size:,} bytes.",
            "Is it the file of this card, and complete?",
        )
