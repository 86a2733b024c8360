"""The small network of the shipped digits classifiers."""

from __future__ import annotations

from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Five 3x3 convolutions with batch norm and ReLU on 32x32 images, then global average pooling.

    It has 55,750 parameters at width 20 and 35,866 at width 16, with 10 classes.
    """

    def __init__(self, num_classes: int = 10, width: int = 20, drop_rate: float = 0.0) -> None:
        """Build the network with torch's initialization.

        Args:
            num_classes: Number of outputs.
            width: Number of channels of the first two convolutions; the next two have twice, the last four times as
                many.
            drop_rate: Dropout rate before the last layer, in [0, 1).
        """
        super().__init__()
        self.features = nn.Sequential(
            _block(3, width, stride=2),
            _block(width, width, stride=1),
            _block(width, 2 * width, stride=2),
            _block(2 * width, 2 * width, stride=1),
            _block(2 * width, 4 * width, stride=2),
        )
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, num_classes).

        Args:
            images: Normalized images, shape (batch, 3, 32, 32).
        """
        logits: Tensor = self.classifier(self.dropout(self.features(images).mean((2, 3))))
        return logits


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
