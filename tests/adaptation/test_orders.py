"""Orders, severities and words of a stream."""

from __future__ import annotations

import numpy as np
import pytest

from robustbench_eff.core.protocol import Protocol
from robustbench_eff.core.stream import Stream

IDS = [f"image {number}" for number in range(500)]
LABELS = np.arange(500) % 7


def permutation(order: str, number: int = 0, seed: int = 0, ids: list[str] = IDS) -> np.ndarray:
    return Stream(batch_size=50, order=order).permutation(number, ids, LABELS[: len(ids)], seed)


@pytest.mark.parametrize("order", ["given", "iid", "class_sorted", "gradual"])
def test_every_image_comes_once(order: str) -> None:
    assert sorted(permutation(order)) == list(range(500))


def test_the_given_order_is_the_benchmarks() -> None:
    assert permutation("given").tolist() == list(range(500))


def test_another_number_or_seed_is_another_order_and_the_same_is_the_same() -> None:
    drawn = [permutation("iid", *arguments).tolist() for arguments in ((0, 0), (1, 0), (0, 1), (0, 0))]
    assert drawn[0] == drawn[3]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_an_iid_order_depends_on_ids_not_on_positions() -> None:
    names = [IDS[row] for row in permutation("iid")]
    backwards = IDS[::-1]
    assert [backwards[row] for row in permutation("iid", ids=backwards)] == names


def test_an_iid_order_mixes_classes_and_places() -> None:
    order = permutation("iid")
    assert abs(np.corrcoef(order, np.arange(500))[0, 1]) < 0.15
    assert len(set(LABELS[order[:50]])) == 7


def test_classes_come_one_after_the_other_in_an_order_of_their_own() -> None:
    runs = set()
    for number in range(5):
        labels = LABELS[permutation("class_sorted", number)]
        changes = np.flatnonzero(np.diff(labels)) + 1
        assert len(changes) == 6
        runs.add(tuple(labels[[0, *changes]].tolist()))
        within = permutation("class_sorted", number)[: changes[0]]
        assert np.any(np.diff(within) < 0), "the images of a class are in random order"
    assert len(runs) > 1


@pytest.mark.parametrize(("samples", "severity", "counts"), [(10, 5, [2] * 5), (9, 2, [5, 4]), (3, 5, [1, 1, 0, 1, 0])])
def test_severity_rises_in_equal_parts(samples: int, severity: int, counts: list[int]) -> None:
    found = Stream(batch_size=2, order="gradual").severities(samples, severity)
    assert np.all(np.diff(found) >= 0)
    assert [int((found == level).sum()) for level in range(1, severity + 1)] == counts
    assert Stream(batch_size=2).severities(3, 4).tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (Stream(batch_size=1, reset="batch"), "one image at a time"),
        (Stream(batch_size=1, order="given"), "batches of 1, in the given order, never reset"),
        (Stream(batch_size=64, orders=1), "batches of 64, in one i.i.d. order, never reset"),
        (Stream(batch_size=64, reset="batch"), "batches of 64, in 3 i.i.d. orders, reset after every batch"),
        (
            Stream(batch_size=8, order="class_sorted", orders=5),
            "batches of 8, in 5 orders sorted by class, never reset",
        ),
        (Stream(batch_size=8, order="gradual"), "batches of 8, in 3 orders of rising severity, never reset"),
    ],
)
def test_a_stream_is_a_sentence(stream: Stream, words: str) -> None:
    assert str(stream) == words
    assert str(Protocol(split="test", stream=f"bn1: {words}")) == f"test · bn1: {words}"


def test_protocols_with_other_streams_are_others_even_of_their_images_alone() -> None:
    one, two = (Protocol(split="test", stream=stream) for stream in ("", "bn1: batches of 2"))
    assert one != two
    assert one.of_images() != two.of_images()
    assert Protocol.from_record(two.changed_fields()) == two
