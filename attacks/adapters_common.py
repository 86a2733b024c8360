"""Parts shared by the adapters of other libraries: a classifier as an `nn.Module`, and seeded global generators."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import nn

from robustbench_eff.core.rng import RandomStreams, global_generators
from robustbench_eff.core.types import Images, ImagesToLogits, Logits


class CallableModule(nn.Module):
    """Wraps a callable as the `nn.Module` that other libraries require."""

    def __init__(self, classifier: ImagesToLogits) -> None:
        """Wrap a callable, in eval mode.

        Args:
            classifier: Maps images in [0, 1] to logits.
        """
        super().__init__()
        self.classifier = classifier
        self.eval()

    def forward(self, images: Images) -> Logits:
        """Return the classifier's logits.

        Args:
            images: Images in [0, 1].
        """
        return self.classifier(images)


def seeded(draws: RandomStreams) -> AbstractContextManager[int]:
    """Seed the global random generators from the samples' draws for the duration of a `with` block.

    A repeated run draws the same numbers. Unlike with our own attacks, a sample's draws depend on the other samples
    of its shard.

    Args:
        draws: Random streams of the shard's samples.

    Returns:
        A context manager that gives the seed, and restores the generators' states at the end.
    """
    return global_generators(draws.seed, str(draws.keys.tolist()), draws.keys.device)
