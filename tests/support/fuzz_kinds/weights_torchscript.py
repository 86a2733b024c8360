"""TorchScript programs, which are refused as weights."""

from __future__ import annotations

from fuzz_weights import torchscript

KIND = torchscript()
