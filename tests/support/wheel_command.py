"""The type of the command that the journeys run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TypeAlias

RobustEval: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
"""Runs `robust-eval` of an installed wheel with these words in the user's folder, which must succeed."""
