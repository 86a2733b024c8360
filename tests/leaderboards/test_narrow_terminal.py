"""A leaderboard on a narrow terminal folds names and headings; no number is cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import layout
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.leaderboards.table import interval_text
from robustbench_eff.leaderboards.terminal import show


@pytest.mark.parametrize("width", [70, 80, 100, 140])
def test_every_interval_is_whole(width: int) -> None:
    table = build_table(entries(select(models=("rb_cifar10_linf_*2023*",))), layout("robustbench-cifar10-linf"))
    console = Console(width=width, file=io.StringIO())
    show(table, console)
    printed = console.file.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    intervals = [
        interval_text(figure, column, table.digits)
        for row in table.rows
        for column, figure in zip(table.columns, row.figures, strict=True)
    ]
    assert len([text for text in intervals if text]) > 10
    assert all(text in printed for text in intervals)
