"""AdaptedNetwork: a network that answers a stream, and can be restored to the state in which it was loaded."""

from __future__ import annotations

import copy

import torch
from torch import nn

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.types import Images, Logits

from ..classifier import Classifier
from .adaptation import Adaptation


class AdaptedNetwork(nn.Module):
    """A network with an adaptation.

    The network itself never runs. A deep copy of it does, with everything that hangs on the module, such as the state
    of an optimizer; to restore the network is to copy it again.
    """

    def __init__(self, source: nn.Module, adaptation: Adaptation) -> None:
        """Keep a network as the state to return to.

        Args:
            source: Network in eval mode.
            adaptation: How it adapts.
        """
        super().__init__()
        self.source, self.adaptation = source, adaptation
        self.training = source.training
        self._trainable = [parameter.requires_grad for parameter in source.parameters()]
        self._running: tuple[nn.Module, ...] = ()
        """The copy that runs; the tuple keeps it out of the modules, whose weights must stay as they are."""

    def restart(self) -> None:
        """Forget everything since the network was loaded.

        Raises:
            ModelError: The network cannot be copied, or has nothing to adapt.
        """
        self._running = ()  # frees its memory before the next copy needs some
        try:
            network = copy.deepcopy(self.source)
        except Exception as error:
            raise ModelError(
                f"The network cannot be copied, so its state could not be restored: {type(error).__name__}: {error}",
                "Detach tensors that the module keeps, and let it hold no generators, locks or open files.",
            ) from error
        for parameter, trainable in zip(network.parameters(), self._trainable, strict=True):
            parameter.requires_grad_(trainable)  # an attack switches the gradients of the source off
        self._running = (self.adaptation(network),)

    def forward(self, images: Images) -> Logits:
        """Return the logits of the next batch of the stream.

        Args:
            images: Normalized images: one batch, or any number of images if the stream takes one at a time and forgets
                it.
        """
        if self.adaptation.stream.is_pointwise:
            return torch.cat([self._answer(image) for image in images.split(1)])
        return self._answer(images)

    def _answer(self, batch: Images) -> Logits:
        if not self._running or self.adaptation.stream.reset == "batch":
            self.restart()
        logits: Logits = self._running[0](batch)
        return logits


def adapted(classifier: Classifier, adaptation: Adaptation) -> Classifier:
    """Return the same classifier with a network that adapts.

    The result shares the weights and has the same digest.

    Args:
        classifier: Classifier whose network did not run yet, or does not change when it runs.
        adaptation: How it adapts.

    Raises:
        ModelError: The network cannot be copied, or has nothing to adapt.
    """
    network = AdaptedNetwork(classifier.model, adaptation)
    network.restart()
    return classifier.with_network(network)


def adapted_network(classifier: Classifier) -> AdaptedNetwork:
    """Return the adapted network inside a classifier, which may map classes around it.

    Args:
        classifier: What `adapted` returned, with or without a class map.
    """
    return next(module for module in classifier.modules() if isinstance(module, AdaptedNetwork))


def restart(classifier: Classifier) -> None:
    """Let the adapted network inside a classifier, if there is one, forget everything since it was loaded.

    Args:
        classifier: Any classifier.
    """
    for module in classifier.modules():
        if isinstance(module, AdaptedNetwork):
            module.restart()
