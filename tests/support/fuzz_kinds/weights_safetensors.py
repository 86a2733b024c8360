"""Files of safetensors."""

from __future__ import annotations

from .weights import safetensors

KIND = safetensors()
