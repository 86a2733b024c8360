"""Archives of torch.save."""

from __future__ import annotations

from .weights import pytorch

KIND = pytorch()
