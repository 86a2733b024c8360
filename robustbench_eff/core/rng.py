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
_PATH_STRIDE = 0x9E3779B97F4A7C15 - 2**64  # odd, so that the multiples of two numbers never coincide
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_seed_numpy, _seed_python = np.random.seed, random.seed  # also within `ignored_seeds`


@dataclass(frozen=True, slots=True)
class RandomStreams:
    """The random numbers of a set of samples; indexing selects samples and keeps the numbers of each."""

    seed: int
    """Seed of the run."""
    keys: Int64[Tensor, batch]
    """One 64-bit key per sample, a hash of its id."""

    @classmethod
    def of(cls, seed: int, sample_ids: Iterable[str | int], device: torch.device | str = "cpu") -> RandomStreams:
        """Return the streams of some samples.

        Args:
            seed: Seed of the run.
            sample_ids: Id of every sample, unique within its data set.
            device: Device on which the numbers are drawn.
        """
        keys = [_hash64(str(sample_id)) for sample_id in sample_ids]
        return cls(seed, torch.tensor(keys, dtype=torch.int64, device=device))

    @classmethod
    def given(cls, draws: RandomStreams | None, samples: Tensor) -> RandomStreams:
        """Return the given streams, or if there are none those of seed 0 with the samples' positions as ids.

        Args:
            draws: Streams, or None, as attacks receive them.
            samples: Batch of samples.
        """
        return cls.of(0, range(len(samples)), samples.device) if draws is None else draws

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.keys)

    def __getitem__(self, index: Tensor | slice) -> RandomStreams:
        """Return the streams of the selected samples."""
        return RandomStreams(self.seed, self.keys[index])

    def fork(self, numbers: Int64[Tensor, batch]) -> RandomStreams:
        """Return independent streams for several paths of a sample, such as restarts.

        Args:
            numbers: Number of the path of every sample, shape (batch,); path 0 has the sample's own stream.
        """
        return RandomStreams(self.seed, self.keys ^ numbers * _PATH_STRIDE)

    def uniform(self, shape: Sequence[int], *, stream: str, step: int = 0) -> Float[Tensor, "batch ..."]:
        """Return uniform draws in [0, 1) with 24 random bits, shape (batch, *shape), float32.

        Args:
            shape: Shape of the draws of one sample.
            stream: Name of the stream; other names give independent draws.
            step: Number of the draw within the stream, such as an iteration, from 0 to 2^32 - 1.
        """
        chunks = [
            (chunk._words(math.prod(shape), stream, step) >> 8).to(torch.float32) * 2.0**-24
            for chunk in self._chunks(math.prod(shape))
        ]
        return torch.cat(chunks).reshape(-1, *shape)

    def normal(self, shape: Sequence[int], *, stream: str, step: int = 0) -> Float[Tensor, "batch ..."]:
        """Return standard normal draws (Box-Muller), shape (batch, *shape), float32.

        Args:
            shape: Shape of the draws of one sample.
            stream: Name of the stream; other names give independent draws.
            step: Number of the draw within the stream, such as an iteration, from 0 to 2^32 - 1.
        """
        chunks = [chunk._normal(math.prod(shape), stream, step) for chunk in self._chunks(math.prod(shape))]
        return torch.cat(chunks).reshape(-1, *shape)

    def words(self, count: int, *, stream: str, step: int = 0) -> Int64[Tensor, "batch count"]:
        """Return 32-bit random words as int64, shape (batch, count); all other draws are made of them.

        Args:
            count: Number of words per sample.
            stream: Name of the stream; other names give independent draws.
            step: Number of the draw within the stream, such as an iteration, from 0 to 2^32 - 1.
        """
        return torch.cat([chunk._words(count, stream, step) for chunk in self._chunks(count)])

    def _chunks(self, count: int) -> Iterator[RandomStreams]:
        """A few samples at a time, to limit the memory of the intermediate 64-bit words."""
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
    """Seed the global generators of torch, NumPy and Python within a `with` block, and restore them afterwards.

    For code that draws from them and takes no generator, such as initialization, dropout and other libraries.

    Args:
        seed: Seed of the run.
        stream: Name of the stream; other names give independent draws.
        device: Device whose generator is seeded as well, if it is a GPU.

    Yields:
        The number that the generators were seeded with.
    """
    number = int.from_bytes(hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=4).digest(), "little")
    python, numpy = random.getstate(), np.random.get_state()
    gpus = [device] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(number)
        if gpus:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(number)
        _seed_numpy(number)
        _seed_python(number)
        try:
            yield number
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def global_states(device: torch.device | str = "cpu") -> tuple[bytes, ...]:
    """Return the states of the global generators, which are the same as long as nobody draws from them or seeds them.

    Args:
        device: Device whose generator is among them, if it is a GPU.
    """
    _, words, *rest = np.random.get_state()
    torch_states = [torch.default_generator.get_state()]
    if torch.device(device).type == "cuda":
        torch_states.append(torch.cuda.get_rng_state(device))
    others = (repr(random.getstate()).encode(), np.asarray(words).tobytes(), repr(rest).encode())
    return *(state.numpy().tobytes() for state in torch_states), *others


@contextmanager
def ignored_seeds() -> Iterator[list[object]]:
    """Ignore whatever seeds the global generators within a `with` block. Use it only inside `global_generators`.

    Yields:
        The arguments of the calls that were ignored; it grows with every call.
    """
    ignored: list[object] = []

    def ignore(*arguments: object) -> torch.Generator:
        ignored.append(arguments)
        return torch.default_generator

    places = [(torch, "manual_seed"), (torch.random, "manual_seed"), (np.random, "seed"), (random, "seed")]
    originals = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, ignore)
    try:
        yield ignored
    finally:
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


def restart(seed: int, stream: str) -> None:
    """Seed torch's global CPU generator again, which is cheap. Call it only inside `global_generators`.

    Args:
        seed: Seed of the run.
        stream: Name of the stream; other names give independent draws.
    """
    torch.default_generator.manual_seed(_hash64(f"{seed}/{stream}") & (2**63 - 1))


def generator(seed: int, stream: str, step: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator for one step of a stream, for draws that belong to a batch and not to a sample.

    Args:
        seed: Seed of the run.
        stream: Name of the stream; other names give independent draws.
        step: Number of the step within the stream.
        device: Device of the generator, which other than with `RandomStreams` changes the draws.
    """
    return torch.Generator(device).manual_seed(_hash64(f"{seed}/{stream}/{step}") & (2**63 - 1))


def stream_key(seed: int, stream: str) -> tuple[int, int]:
    """Return the two 32-bit words of Philox's key, a hash of seed and stream.

    Args:
        seed: Seed of the run.
        stream: Name of the stream.
    """
    key = _hash64(f"{seed}/{stream}")
    return key & _WORD, (key >> 32) & _WORD


Words = tuple[Tensor, Tensor, Tensor, Tensor]
"""The four 32-bit words of a Philox counter or output."""


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Return the output of Philox4x32-10.

    Args:
        counter: Four int64 tensors of one shape, each of 32-bit words.
        key: Two 32-bit words.

    Source: Salmon et al. 2011.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The product overflows into the sign bit, but all its 64 bits are correct.
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
    """Return a signed 64-bit hash that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
