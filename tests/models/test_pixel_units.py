"""Mean and std in either of two units, in one word or three."""

from __future__ import annotations

import pytest

from robustbench_eff.cli.common import parse_numbers
from robustbench_eff.cli.number_words import numbers_joined
from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.pixel_units import in_unit_range
from robustbench_eff.models.request import ModelRequest

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (*IMAGENET, IMAGENET),
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), IMAGENET),
        ((127.5,), (127.5,), ((0.5,), (0.5,))),
        ((0.0,), (255.0,), ((0.0,), (1.0,))),
        ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), ((0.407604, 0.457957, 0.48502), (1 / 255,) * 3)),
        ((0.0,), (1 / 255,), ((0.0,), (1 / 255,))),
    ],
)
def test_values_for_bytes_are_converted_and_said(
    mean: tuple[float, ...], std: tuple[float, ...], expected: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    found = in_unit_range(mean, std)
    assert found.mean == pytest.approx(expected[0], abs=1e-6)
    assert found.std == pytest.approx(expected[1], abs=1e-6)
    assert bool(found.notes) == (max(*mean, *std) > 1)
    assert all(note.startswith("assumed: mean ") for note in found.notes)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ((123.675, 116.28, 103.53), IMAGENET[1], "mix units"),
        (IMAGENET[0], (58.395, 57.12, 57.375), "mix units"),
        ((123.675, 0.456, 103.53), (58.0, 57.0, 57.0), "mix units"),
        ((-123.675, -116.28, -103.53), (58.0, 57.0, 57.0), "neither .* A mean is given with a plus sign"),
        ((1000.0,), (58.0,), "neither for pixels from 0 to 1 nor for 0 to 255"),
        ((123.0,), (0.0,), "divides by zero"),
    ],
)
def test_mixed_units_are_refused(mean: tuple[float, ...], std: tuple[float, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        in_unit_range(mean, std)
    assert "--mean 0.485,0.456,0.406" in caught.value.hint


def test_a_negative_mean_is_pointed_out() -> None:
    assert "negative mean -0.5" in in_unit_range((-0.5,), (0.5,)).notes[0]


def test_python_converts_as_the_command_line_does() -> None:
    request = ModelRequest.from_options("mine", {"mean": [127.5], "std": [127.5]})
    assert (request.mean, request.std) == ((0.5,), (0.5,))
    assert request.assumed
    with pytest.raises(UsageError, match="mean is given without std"):
        ModelRequest.from_options("mine", {"mean": [127.5]})


@pytest.mark.parametrize(
    "words",
    [
        ["--mean", "0.1", "0.2", "0.3"],
        ["--mean=0.1", "0.2", "0.3"],
        ["--mean", "0.1,", "0.2,", "0.3"],
        ["--mean", "(0.1,", "0.2,", "0.3)"],
        ["--mean", "[0.1, 0.2, 0.3]"],
        ["--mean", "(0.1, 0.2, 0.3)"],
        ["--mean", "0.1,0.2,0.3"],
        ["--mean", "1/10", "2e-1", ".3"],
    ],
)
def test_three_words_are_one_value(words: list[str]) -> None:
    joined = numbers_joined(["try", *words, "--std", "0.5", "mine.py", "7"])
    assert joined[-4:] == ["--std", "0.5", "mine.py", "7"]
    value = joined[-5].removeprefix("--mean=")
    assert parse_numbers("--mean", value) == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["--mean", "-0.5", "-0.5", "-.5", "--limit", "3"], ["--mean", "-0.5 -0.5 -.5", "--limit", "3"]),
        (["--limit", "3", "4"], ["--limit", "3", "4"]),
        (["--mean"], ["--mean"]),
        (["--mean", "mine.py"], ["--mean", "mine.py"]),
        (["--", "--mean", "1", "2"], ["--", "--mean", "1", "2"]),
        (["--means", "1", "2"], ["--means", "1", "2"]),
        (["--mean=a", "1"], ["--mean=a", "1"]),
    ],
)
def test_other_words_stay(words: list[str], joined: list[str]) -> None:
    assert numbers_joined(words) == joined


@pytest.mark.parametrize("text", ["0.1 0.2", "0.1,0.2,0.3,0.4", "()", "a,b,c"])
def test_another_number_of_values_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--mean"):
        parse_numbers("--mean", text)
