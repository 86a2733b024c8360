"""Errors as sentences on the terminal."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from rich.console import Console

from robustbench_eff.core.errors import RobustEvalError

if TYPE_CHECKING:
    pass


def print_error(error: RobustEvalError, console: Console) -> None:
    """The message, then the hint; a traceback only with ROBUST_EVAL_TRACEBACK=1."""
    if os.environ.get("ROBUST_EVAL_TRACEBACK") == "1":
        console.print("".join(traceback.format_exception(error)), markup=False, highlight=False, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(error.message, markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        console.print(error.hint, markup=False, highlight=False, soft_wrap=True)
