"""What attacks of other libraries need: a module to call, and random numbers that do not escape."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import nn

from robustbench_eff.core.rng import RandomStreams, global_generators
from robustbench_eff.core.types import Images, ImagesToLogits, Logits


class CallableModule(nn.Module):
    """A callable as the module that other libraries insist on."""

    def __init__(self, classifier: ImagesToLogits) -> None:
        super().__init__()
        self.classifier = classifier
        self.eval()

    def forward(self, images: Images) -> Logits:
        return self.classifier(images)


def seeded(draws: RandomStreams) -> AbstractContextManager[int]:
    """The global generators seeded from the samples' draws; yields the seed.

    So a repeated run draws the same, but, unlike with our own attacks, a sample's draws depend on the others of its
    shard.
    """
    return global_generators(draws.seed, str(draws.keys.tolist()), draws.keys.device)
