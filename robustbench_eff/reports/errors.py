"""Errors as sentences on the terminal."""

from __future__ import annotations

import os
import traceback

from rich.console import Console

from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.core.visible_text import visible


def print_error(error: RobustEvalError, console: Console) -> None:
    """Print the message, then the hint; a traceback only with ROBUST_EVAL_TRACEBACK=1.

    Args:
        error: The error.
        console: Where to print.
    """
    if os.environ.get("ROBUST_EVAL_TRACEBACK") == "1":
        console.print("".join(traceback.format_exception(error)), markup=False, highlight=False, soft_wrap=True)
    console.print("error: ", style="bold red", end="")
    console.print(visible(error.message), markup=False, highlight=False, soft_wrap=True)
    if error.hint:
        console.print(visible(error.hint), markup=False, highlight=False, soft_wrap=True)
