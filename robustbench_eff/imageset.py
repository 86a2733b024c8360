"""A benchmark made ready for one geometry: 8-bit pixels on disk, labels and stable sample ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from robustbench_eff.types import Images, Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """`pixels` is uint8 (N, H, W, 3), usually memory-mapped; `labels` int64 (N,)."""

    benchmark: str
    label_space: str
    protocol: str
    """What a number on these images means: split, how many of how many, geometry."""
    sample_ids: list[str]
    labels: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.uint8]
    fingerprint: str
    """Hash of ids, labels and original bytes."""

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, start: int, stop: int, device: torch.device | str = "cpu") -> tuple[Images, Labels]:
        """Samples `start` to `stop` as float32 (n, 3, H, W) in [0, 1] and their labels."""
        pixels = torch.from_numpy(np.array(self.pixels[start:stop])).to(device)
        images = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
        return images, torch.from_numpy(self.labels[start:stop]).to(device)
