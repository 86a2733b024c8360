"""Archives of torch.save."""

from __future__ import annotations

from fuzz_weights import pytorch

KIND = pytorch()
