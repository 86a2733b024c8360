"""Nearest-centroid classifiers: `acme/centroids:digits`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.core.errors import Missing, ModelError
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.models.request import LoadedModule, ModelRequest


class Centroids(nn.Module):
    """Logits are negative squared distances to the mean image of every class."""

    centers: Tensor

    def __init__(self, centers: Tensor) -> None:
        """Keep the centers, float32 of shape (classes, values)."""
        super().__init__()
        self.register_buffer("centers", centers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) for images (N, 3, 32, 32)."""
        return -torch.cdist(images.flatten(1), self.centers).square()


@dataclass(frozen=True, slots=True)
class CentroidModels:
    """See `robustbench_eff.models.source.ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return the file of `--weights` if it does not exist; the images come with the suite."""
        if target != "digits":
            raise ModelError(f"acme/centroids does not know {target!r}.", "Write acme/centroids:digits.")
        return request.missing_weights_file()

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the classifier of the training images."""
        self.missing(target, request)  # refuses another target
        opened = open_digits("train")
        pixels = np.stack([np.asarray(opened.read(row)) for row in range(len(opened))]).astype(np.float32) / 255
        labels = np.array(opened.labels)
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).flatten(1)
        centers = torch.stack([images[torch.from_numpy(labels == label)].mean(0) for label in range(10)])
        own = Preprocessing(geometry=Geometry(size=32, mode="none"), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        return LoadedModule(
            module=Centroids(centers).eval(),
            preprocessing=request.adapt(own, crop_pct=1.0),
            source=f"acme/centroids:{target}",
            label_space="digits",
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return `digits`."""
        del target, request
        return "digits"


CENTROIDS = CentroidModels()
