"""Stream: the batches and the order in which a network sees images, and when it forgets what it has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import SpecError
from .protocol import RISING_SEVERITY
from .rng import RandomStreams

Order = Literal["given", "iid", "class_sorted", "gradual"]
"""`given`: as the benchmark lists the images. `iid`: at random. `class_sorted`: one class after the other, the classes
and the images of each at random. `gradual`: at random, and the severity of the corruption rises."""
Reset = Literal["batch", "never"]
"""`batch`: the network forgets everything after every batch (episodic). `never`: it remembers all batches since the
start of the cell (online)."""
DRAWN_ORDERS = 3
"""Number of orders that are evaluated by default where the order is drawn at random."""
_ORDER_WORDS = {"iid": "i.i.d. order", "class_sorted": "order sorted by class", "gradual": RISING_SEVERITY}
_RESET_WORDS = {"batch": "reset after every batch", "never": "never reset"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How a network whose answers depend on the batch, the order or the past is evaluated.

    Every order starts with the network as it was loaded. The last batch is smaller if the images do not fill it.

    Raises:
        SpecError: A number is below 1, or several orders would all be the same.
    """

    batch_size: int
    """Images per batch."""
    order: Order = "iid"
    reset: Reset = "never"
    orders: int | None = None
    """Number of orders that are evaluated; None for `DRAWN_ORDERS` if they are drawn at random, else 1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value in (("The batch size", self.batch_size), ("orders", self.orders)):
            if value is not None and value < 1:
                raise SpecError(f"{name} must be at least 1, got {value}.")
        if (self.orders or 1) > 1 and not self.is_drawn:
            same = "one image at a time, without memory," if self.is_pointwise else "in the given order"
            raise SpecError(f"orders={self.orders}: {same} all orders are the same.", "Leave out orders.")

    @property
    def is_pointwise(self) -> bool:
        """Whether the answer to an image depends on this image alone."""
        return self.batch_size == 1 and self.reset == "batch" and self.order != "gradual"

    @property
    def is_drawn(self) -> bool:
        """Whether answers depend on orders that are drawn at random."""
        return self.order != "given" and not self.is_pointwise

    @property
    def is_divisible(self) -> bool:
        """Whether the stream may be cut between batches, so that its parts are evaluated in any order."""
        return self.order == "given" and self.reset == "batch"

    @property
    def num_orders(self) -> int:
        """Number of orders that are evaluated."""
        return (self.orders or DRAWN_ORDERS) if self.is_drawn else 1

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything that decides which answers are given."""
        order = self.order if self.is_drawn else "given"
        return {"batch_size": self.batch_size, "order": order, "reset": self.reset, "orders": self.num_orders}

    def permutation(
        self, number: int, sample_ids: Sequence[str], labels: npt.NDArray[np.int64], seed: int
    ) -> npt.NDArray[np.int64]:
        """Return the positions of the samples in one of the orders.

        The place of a sample depends on the seed, the number of the order and the ids of the samples alone.

        Args:
            number: Number of the order, from 0.
            sample_ids: Unique id of every sample.
            labels: Class of every sample, shape (n,).
            seed: Seed of the run.

        Returns:
            Positions from 0 to n - 1, shape (n,).
        """
        if not self.is_drawn:
            return np.arange(len(labels))
        drawn = _draws(seed, sample_ids, f"order {number}")
        if self.order != "class_sorted":
            return np.argsort(drawn, kind="stable")
        classes, class_of = np.unique(labels, return_inverse=True)
        return np.lexsort((drawn, _draws(seed, classes.tolist(), f"class order {number}")[class_of]))

    def severities(self, samples: int, severity: int) -> npt.NDArray[np.int64]:
        """Return the severity at every place of the stream: under `gradual` 1 to `severity` in parts of equal length.

        The image at place p of n, from 0, has severity 1 + floor(p * severity / n).

        Args:
            samples: Number of samples n.
            severity: The highest severity, at least 1.
        """
        if self.order != "gradual":
            return np.full(samples, severity)
        return 1 + np.arange(samples) * severity // max(samples, 1)

    def __str__(self) -> str:
        """Return the stream as a part of a sentence, such as `batches of 200, in 3 i.i.d. orders, never reset`."""
        if self.is_pointwise:
            return "one image at a time"
        order = "in the given order"
        if self.is_drawn:
            words = _ORDER_WORDS[self.order]
            several = words.replace("order", "orders", 1)
            order = f"in one {words}" if self.num_orders == 1 else f"in {self.num_orders} {several}"
        return f"batches of {self.batch_size}, {order}, {_RESET_WORDS[self.reset]}"


def _draws(seed: int, keys: Sequence[str | int], stream: str) -> npt.NDArray[np.int64]:
    """A random 62-bit number for every key."""
    words = RandomStreams.of(seed, keys).words(2, stream=stream).numpy()
    numbers: npt.NDArray[np.int64] = (words[:, 0] >> 1 << 31) | (words[:, 1] >> 1)
    return numbers
