"""What attacks of other libraries need: a module to call, and random numbers that do not escape."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from robustbench_eff.rng import Draws
from robustbench_eff.types import Images, ImagesToLogits, Logits


class AsModule(nn.Module):
    """A callable as the module that other libraries insist on."""

    def __init__(self, classifier: ImagesToLogits) -> None:
        super().__init__()
        self.classifier = classifier
        self.eval()

    def forward(self, images: Images) -> Logits:
        return self.classifier(images)


@contextmanager
def seeded(draws: Draws) -> Iterator[int]:
    """Seed the global generators of torch, NumPy and Python from the samples' draws, and put them back.

    So a repeated run draws the same, but, unlike with our own attacks, a sample's draws depend on the others of its
    shard. Yields the seed.
    """
    text = f"{draws.seed}/{draws.keys.tolist()}"
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    python, numpy = random.getstate(), np.random.get_state()
    devices = [draws.keys.device] if draws.keys.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield seed
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
