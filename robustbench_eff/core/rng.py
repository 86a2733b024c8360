"""Random numbers as a function of (seed, stream, sample, step), the same on every device and in every batch.

Source: Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (SC11).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WORDS_AT_ONCE = 2**20
_PATH_STRIDE = 0x9E3779B97F4A7C15 - 2**64  # odd, so that no two numbers meet
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)


@dataclass(frozen=True, slots=True)
class RandomStreams:
    """The random numbers that belong to a set of samples; indexing keeps each sample's own."""

    seed: int
    keys: Int64[Tensor, batch]
    """One 64-bit key per sample, a hash of its id."""

    @classmethod
    def of(cls, seed: int, sample_ids: Iterable[str | int], device: torch.device | str = "cpu") -> RandomStreams:
        keys = [_hash64(str(sample_id)) for sample_id in sample_ids]
        return cls(seed, torch.tensor(keys, dtype=torch.int64, device=device))

    @classmethod
    def given(cls, draws: RandomStreams | None, samples: Tensor) -> RandomStreams:
        """`draws`, or where there are none those of seed 0 and the samples' positions: what every attack does."""
        return cls.of(0, range(len(samples)), samples.device) if draws is None else draws

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: Tensor | slice) -> RandomStreams:
        return RandomStreams(self.seed, self.keys[index])

    def fork(self, numbers: Int64[Tensor, batch]) -> RandomStreams:
        """Draws for several paths of a sample: every number has its own, and number 0 the sample's."""
        return RandomStreams(self.seed, self.keys ^ numbers * _PATH_STRIDE)

    def uniform(self, shape: Sequence[int], *, stream: str, step: int = 0) -> Float[Tensor, "batch ..."]:
        """Uniform draws in [0, 1) with 24 random bits, shape (batch, *shape), float32."""
        parts = [
            (part._words(math.prod(shape), stream, step) >> 8).to(torch.float32) * 2.0**-24
            for part in self._parts(math.prod(shape))
        ]
        return torch.cat(parts).reshape(-1, *shape)

    def normal(self, shape: Sequence[int], *, stream: str, step: int = 0) -> Float[Tensor, "batch ..."]:
        """Standard normal draws (Box-Muller), shape (batch, *shape), float32."""
        parts = [part._normal(math.prod(shape), stream, step) for part in self._parts(math.prod(shape))]
        return torch.cat(parts).reshape(-1, *shape)

    def words(self, count: int, *, stream: str, step: int = 0) -> Int64[Tensor, "batch count"]:
        """`count` 32-bit words a sample, as int64: what all other draws are made of."""
        return torch.cat([part._words(count, stream, step) for part in self._parts(count)])

    def _parts(self, count: int) -> Iterator[RandomStreams]:
        """A few samples at a time, so that the 64-bit words in between stay small."""
        size = max(1, _WORDS_AT_ONCE // max(1, count))
        for start in range(0, max(1, len(self.keys)), size):
            yield RandomStreams(self.seed, self.keys[start : start + size])

    def _normal(self, count: int, stream: str, step: int) -> Float[Tensor, "batch count"]:
        half = -(-count // 2)
        words = self._words(2 * half, stream, step)
        # (word + 1/2) / 2^32 is never 0, so the logarithm is finite.
        radius = torch.sqrt(-2.0 * torch.log((words[:, :half].double() + 0.5) * 2.0**-32))
        angle = words[:, half:].double() * (2.0 * math.pi * 2.0**-32)
        pair = torch.cat((radius * torch.cos(angle), radius * torch.sin(angle)), dim=1)
        return pair[:, :count].to(torch.float32)

    def _words(self, count: int, stream: str, step: int) -> Int64[Tensor, "batch count"]:
        key = stream_key(self.seed, stream)
        block = torch.arange(-(-count // 4), device=self.keys.device).expand(len(self.keys), -1)
        counter = (
            block,
            torch.full_like(block, step & _WORD),
            (self.keys & _WORD).unsqueeze(1).expand_as(block),
            ((self.keys >> 32) & _WORD).unsqueeze(1).expand_as(block),
        )
        return torch.stack(philox(counter, key), dim=2).flatten(1)[:, :count]


@contextmanager
def global_generators(seed: int, stream: str, device: torch.device | str = "cpu") -> Iterator[int]:
    """Seed the global generators of torch, NumPy and Python, and put them back afterwards; yields the number used.

    For code that draws from them and takes no generator: initialisation, dropout, other libraries.
    """
    number = int.from_bytes(hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=4).digest(), "little")
    python, numpy = random.getstate(), np.random.get_state()
    gpus = [device] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(number)
        if gpus:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        np.random.seed(number)
        random.seed(number)
        try:
            yield number
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def restart(seed: int, stream: str) -> None:
    """Seed torch's global generator of the CPU again, which is cheap; only inside `global_generators`."""
    torch.default_generator.manual_seed(_hash64(f"{seed}/{stream}") & (2**63 - 1))


def generator(seed: int, stream: str, step: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one step of a stream: for draws that belong to a batch, not to a sample."""
    return torch.Generator(device).manual_seed(_hash64(f"{seed}/{stream}/{step}") & (2**63 - 1))


def stream_key(seed: int, stream: str) -> tuple[int, int]:
    """The two 32-bit words that tell streams and seeds apart."""
    key = _hash64(f"{seed}/{stream}")
    return key & _WORD, (key >> 32) & _WORD


Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox4x32-10 on int64 tensors that hold 32-bit words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The product overflows into the sign bit; its 64 bits are still the right ones.
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _WORD) ^ c1 ^ k0,
            p1 & _WORD,
            ((p0 >> 32) & _WORD) ^ c3 ^ k1,
            p0 & _WORD,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & _WORD, (k1 + _KEY_STEPS[1]) & _WORD
    return c0, c1, c2, c3


def _hash64(text: str) -> int:
    """A signed 64-bit hash that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
