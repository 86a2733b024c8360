"""Texts of attacks and corruptions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzzing import Kind
from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError
from robustbench_eff.registry.perturbation import parse_perturbation


def _samples(_folder: Path) -> Sequence[bytes]:
    return [
        b"pgd(eps=4/255, steps=50, norm=l2, random_start=True)",
        b"fog(severity=3), gaussian_noise(severity=1, constants='cifar10')",
        b"apgd(eps=8/255, loss='dlr'), square(eps=0.5, norm=l2, queries=100)",
    ]


def _read(content: bytes, _folder: Path) -> None:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise SpecError("This is no text.") from error  # a shell passes texts
    for part in spec.split(text):
        parse_perturbation(part)


KIND = Kind(_samples, _read, is_text=True)
