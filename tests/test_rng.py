"""Random numbers: the published generator, the same in every batch."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from robustbench_eff.core.rng import RandomStreams, philox

# Known answers for philox4x32-10: counter, key, output. Source: Random123, tests/kat_vectors.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_philox_gives_the_published_answers(counter: str, key: str, output: str) -> None:
    c0, c1, c2, c3 = (torch.tensor([word]) for word in words(counter))
    k0, k1 = words(key)
    assert [int(word) for word in philox((c0, c1, c2, c3), (k0, k1))] == words(output)


def test_a_sample_keeps_its_draws_in_any_company() -> None:
    together = RandomStreams.of(3, ["a", "b", "c"])
    assert torch.equal(together.uniform((5,), stream="s")[1:2], RandomStreams.of(3, ["b"]).uniform((5,), stream="s"))
    rows = torch.tensor([2, 0])
    assert torch.equal(together[rows].normal((4,), stream="s"), together.normal((4,), stream="s")[rows])


def test_seed_stream_step_and_sample_all_matter() -> None:
    base = RandomStreams.of(0, ["a"]).uniform((8,), stream="s", step=0)
    others = [
        RandomStreams.of(1, ["a"]).uniform((8,), stream="s", step=0),
        RandomStreams.of(0, ["b"]).uniform((8,), stream="s", step=0),
        RandomStreams.of(0, ["a"]).uniform((8,), stream="t", step=0),
        RandomStreams.of(0, ["a"]).uniform((8,), stream="s", step=1),
    ]
    assert all(not torch.equal(base, other) for other in others)


def test_draws_follow_their_distribution() -> None:
    draws = RandomStreams.of(0, range(100))
    uniform = draws.uniform((1001,), stream="u").flatten()
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 0.001
    assert stats.kstest(draws.normal((1001,), stream="n").flatten().numpy(), "norm").pvalue > 0.001


def test_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    RandomStreams.of(0, ["a"]).normal((10,), stream="s")
    assert torch.equal(state, torch.random.get_rng_state())
