"""Philox4x32-10 as in robustbench_eff.core.rng, and the random numbers made from its words."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numba import prange

from robustbench_eff.core.rng import RandomStreams, stream_key

from .jit import array, loop, parallel

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
HALF = np.uint64(32)
UNIT = np.float32(2.0**-24)


def uniforms(draws: RandomStreams, shape: tuple[int, ...], stream: str) -> torch.Tensor:
    """Return the same numbers as `draws.uniform`.

    Args:
        draws: Random streams, one per image, on the CPU.
        shape: Shape of the numbers of one image.
        stream: Name of the stream.
    """
    out = np.empty((len(draws.keys), math.prod(shape)), dtype=np.float32)
    _uniforms(*_keys(draws, stream), out)
    return torch.from_numpy(out).view(-1, *shape)


def looked_up(draws: RandomStreams, shape: tuple[int, ...], stream: str, table: torch.Tensor) -> torch.Tensor:
    """Return random entries of a table, two for every random word: by its lower half, then by its upper half.

    Args:
        draws: Random streams, one per image, on the CPU.
        shape: Shape of the numbers of one image.
        stream: Name of the stream.
        table: 2^16 float32 numbers.
    """
    out = np.empty((len(draws.keys), math.prod(shape)), dtype=np.float32)
    _looked_up(*_keys(draws, stream), array(table), out)
    return torch.from_numpy(out).view(-1, *shape)


class _Keys(NamedTuple):
    """Counter and key of Philox."""

    images: np.ndarray
    low: np.uint32
    high: np.uint32


def _keys(draws: RandomStreams, stream: str) -> _Keys:
    low, high = stream_key(draws.seed, stream)
    return _Keys(array(draws.keys), np.uint32(low), np.uint32(high))


@loop
def _block(number, low, high, key0, key1):
    """Four random words."""
    c0, c1, c2, c3 = np.uint32(number), np.uint32(0), low, high
    for _ in range(10):
        p0, p1 = np.uint64(c0) * M0, np.uint64(c2) * M1
        c0 = np.uint32(p1 >> HALF) ^ np.uint32(c1 ^ key0)
        c2 = np.uint32(p0 >> HALF) ^ np.uint32(c3 ^ key1)
        c1, c3 = np.uint32(p1), np.uint32(p0)
        key0, key1 = np.uint32(key0 + W0), np.uint32(key1 + W1)
    return c0, c1, c2, c3


@loop
def _words(low, high, key0, key1, words):
    """A separate loop without branches, which the compiler vectorises."""
    for number in range(len(words)):
        c0, c1, c2, c3 = _block(number, low, high, key0, key1)
        words[number, 0], words[number, 1], words[number, 2], words[number, 3] = c0, c1, c2, c3


@parallel
def _uniforms(keys, key0, key1, out):
    for image in prange(len(keys)):
        words = np.empty(((out.shape[1] + 3) // 4, 4), dtype=np.uint32)
        _words(np.uint32(keys[image]), np.uint32(keys[image] >> 32), key0, key1, words)
        for index, word in enumerate(words.ravel()[: out.shape[1]]):
            out[image, index] = np.float32(word >> np.uint32(8)) * UNIT


@parallel
def _looked_up(keys, key0, key1, table, out):
    for image in prange(len(keys)):
        words = np.empty(((out.shape[1] + 7) // 8, 4), dtype=np.uint32)
        _words(np.uint32(keys[image]), np.uint32(keys[image] >> 32), key0, key1, words)
        for index, half in enumerate(words.ravel().view(np.uint16)[: out.shape[1]]):
            out[image, index] = table[half]
