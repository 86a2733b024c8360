"""Files that torch.save wrote before version 1.6."""

from __future__ import annotations

from fuzz_weights import legacy

KIND = legacy()
