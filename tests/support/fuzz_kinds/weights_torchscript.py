"""TorchScript programs, which are refused as weights."""

from __future__ import annotations

from .weights import torchscript

KIND = torchscript()
