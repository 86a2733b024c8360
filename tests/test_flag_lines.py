"""Marks behind numbers and lines below tables: every flag is named once, with the numbers that have it."""

from __future__ import annotations

import pytest

from robustbench_eff.core.flags import MASKING_SUSPECTED, flag_lines, flags_over, mark_of


@pytest.mark.parametrize(
    ("flags", "mark"),
    [
        ((), ""),
        (("incomplete: 4 of 9",), "*"),
        ((f"{MASKING_SUSPECTED}black_box",), "†"),
        (("not_finite: 2", "incomplete: 4 of 9", f"{MASKING_SUSPECTED}black_box"), "*†"),
    ],
)
def test_a_number_that_may_be_too_high_has_a_dagger_and_any_other_flag_a_star(
    flags: tuple[str, ...], mark: str
) -> None:
    assert mark_of(flags) == mark


def test_each_flag_has_one_line_that_names_rows_and_columns() -> None:
    bearers = {(row, str(level)): () for row in ("fog", "snow") for level in (1, 2, 3)}
    bearers |= {("fog", "1"): ("not_finite: 2",), ("fog", "3"): ("not_finite: 5", "other")}
    bearers |= dict.fromkeys([("snow", "1"), ("snow", "2"), ("snow", "3")], ("incomplete: 40 of 100",))
    assert flag_lines(bearers) == [
        "* fog 1, 3: not_finite: 2 to 5.",
        "* fog 3: other.",
        "* snow: incomplete: 40 of 100.",
    ]
    assert flag_lines(dict.fromkeys([("fog", "1"), ("mCE", "")], ("random weights",))) == ["* All: random weights."]
    assert flag_lines({("fog", "1"): ()}) == []


def test_many_rows_are_counted() -> None:
    bearers = {(f"row{index}", "1"): ("seen",) if index else () for index in range(12)}
    assert flag_lines(bearers) == ["* row1, row2, row3, row4, row5, row6 and 5 more: seen."]


def test_a_number_over_others_has_their_flags_with_how_many_have_them() -> None:
    flags = [("random weights", "not_finite: 2"), ("random weights", "not_finite: 1,500"), ("random weights",)]
    assert flags_over(flags) == ("random weights", "not_finite: 2 to 1,500 (in 2 of 3 cells)")
    assert flags_over([(), ()]) == flags_over([]) == ()


def test_flags_that_differ_in_more_than_counts_stay_apart() -> None:
    flags = [("fog 3 was read twice", "masking suspected: a"), ("fog 4 was read twice", "masking suspected: b")]
    assert len(flags_over(flags)) == 4
