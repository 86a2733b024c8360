"""Files of safetensors."""

from __future__ import annotations

from fuzz_weights import safetensors

KIND = safetensors()
