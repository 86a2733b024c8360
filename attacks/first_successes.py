"""First successes of the samples that an attack changes step by step, read by the host every few steps.

On an accelerator the host waits whenever it reads a value, so the logits of some steps are kept on the device and read
together. Meanwhile all samples take their steps, also those that have succeeded. What is recorded is what reading at
every step would record: the first image that the plain network misclassifies, and the passes up to it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from robustbench_eff.core.accelerators import padded_count, steps_between_readings
from robustbench_eff.core.types import AllImages, Images, Labels, Logits, Mask, SampleIndices

from .active_samples import MAX_STATE_VALUES
from .oracle import Oracle

KeptRows: TypeAlias = Int64[Tensor, "kept"]
"""Positions of the rows that an attack goes on with."""


class _Offer(NamedTuple):
    """The images of a step."""

    logits: Logits
    among: Mask | None
    """Images that may be successes; None for all."""
    images: Images
    labels: Labels
    rows: SampleIndices
    passes: int
    """Pending passes of the oracle up to these images."""


class FirstSuccesses:
    """Writes the first successful image of every sample into the results, and says which rows an attack goes on with.

    The rows of an attack are its images, of which several may belong to the same sample; a sample leaves with all of
    them. On an accelerator the number of rows is kept at that of full batches and a power of two, so that shapes
    repeat: the rows of finished samples fill up, without effect on any result or count.
    """

    def __init__(self, oracle: Oracle, adversarial: AllImages, rows: SampleIndices, *, majority: bool = False) -> None:
        """Begin with no success.

        Args:
            oracle: Oracle of the attack.
            adversarial: Results of all samples; the first successes are written into it.
            rows: Index of the sample that each row of the attack belongs to.
            majority: See `Oracle.misclassified`.
        """
        self._oracle, self._adversarial, self._majority = oracle, adversarial, majority
        self._owners = rows.cpu().numpy()
        self._live = np.ones(len(rows), dtype=bool)
        self._pending: list[_Offer] = []
        oracle.counts.flush()
        # A network that draws at random is asked again in the order of the steps.
        self._interval = steps_between_readings(rows.device) if oracle.draws is None else 1

    def offer(
        self, logits: Logits, images: Images, labels: Labels, rows: SampleIndices, among: Mask | None = None
    ) -> KeptRows | None:
        """Offer the images of a step, with the logits of their pass.

        Args:
            logits: Logits of the images.
            images: One image for each row; not changed afterwards.
            labels: True class of each image.
            rows: Index of the sample that each image belongs to.
            among: Images that may be successes; None for all.

        Returns:
            The positions of the rows to go on with; None for all of them.
        """
        self._oracle.tried(logits, images, labels, rows, majority=self._majority)
        # A model may write its next answer into the same memory.
        kept = logits if self._interval == 1 else logits.clone()
        self._pending.append(_Offer(kept, among, images, labels, rows, self._oracle.counts.pending))
        if len(self._pending) < self._interval and len(self._pending) * images.numel() < MAX_STATE_VALUES:
            return None
        self._read()
        count = int(self._live.sum())
        return self._select(padded_count(count, self._oracle.batch_size) if self._interval > 1 else count)

    def finish(self) -> KeptRows | None:
        """Read what is pending, and return the positions of the rows without success; None for all of them."""
        self._read()
        return self._select(int(self._live.sum()))

    def _select(self, count: int) -> KeptRows | None:
        """Keep so many rows: those of live samples, and others where there are not enough."""
        if count >= len(self._live):
            return None
        kept = np.sort(np.argsort(~self._live, kind="stable")[:count])
        self._owners, self._live = self._owners[kept], self._live[kept]
        return torch.from_numpy(kept).to(self._adversarial.device)

    def _read(self) -> None:
        """Record the successes among the pending claims, and the passes that were needed."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        claimed = self._to_host(pending) & self._live
        passes = np.where(self._live, self._oracle.counts.pending, 0)
        while claimed.any():
            self._record_earliest(pending, claimed, passes)
        self._oracle.counts.flush(None if self._live.all() else passes)

    def _to_host(self, pending: list[_Offer]) -> np.ndarray:
        """Return which rows each step claims, and let the oracle know of overflow: the only wait of several steps."""
        claimed = torch.stack([offer.logits for offer in pending]).argmax(2) != pending[-1].labels
        among = [offer.among for offer in pending if offer.among is not None]
        claimed = claimed & torch.stack(among) if among else claimed
        overflowed = self._oracle.overflow.unread()
        if not len(overflowed):
            return claimed.cpu().numpy()
        read = torch.cat((claimed.flatten(), overflowed)).cpu()
        self._oracle.overflow.read(bool(read[claimed.numel() :].any()))
        return read[: claimed.numel()].view(claimed.shape).numpy()

    def _record_earliest(self, pending: list[_Offer], claimed: np.ndarray, passes: np.ndarray) -> None:
        """Have every sample's earliest claims confirmed; remove them, and all claims of those that succeeded."""
        step_of_row = np.where(claimed.any(0), claimed.argmax(0), len(pending))
        first_step = np.full(len(self._adversarial), len(pending))
        np.minimum.at(first_step, self._owners, step_of_row)
        earliest = np.flatnonzero((step_of_row == first_step[self._owners]) & claimed.any(0))
        earliest = earliest[np.argsort(step_of_row[earliest], kind="stable")]
        steps = step_of_row[earliest]
        claimed[steps, earliest] = False
        winners = self._confirm(pending, steps, earliest)
        for step in np.unique(steps[winners]):
            finished = np.isin(self._owners, self._owners[earliest[winners[steps[winners] == step]]])
            self._live[finished], claimed[:, finished], passes[finished] = False, False, pending[step].passes

    def _confirm(self, pending: list[_Offer], steps: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Record the first of every sample's images that the plain network misclassifies.

        Args:
            pending: Offers of the steps.
            steps: Steps of the images to look at, ascending.
            rows: Their rows.

        Returns:
            Positions of the recorded images among those that were looked at.
        """
        device, last = self._adversarial.device, pending[-1]
        images = torch.cat(
            [pending[step].images[torch.from_numpy(rows[steps == step]).to(device)] for step in np.unique(steps)]
        )
        places = torch.from_numpy(rows).to(device)
        samples = last.rows[places]
        success = self._oracle.confirmed(images, last.labels[places], samples, majority=self._majority)
        won = np.arange(len(rows)) if success is None else np.flatnonzero(success.cpu().numpy())
        winners = won[np.unique(self._owners[rows[won]], return_index=True)[1]]
        recorded = torch.from_numpy(winners).to(device)
        self._adversarial[samples[recorded]] = images[recorded]
        return winners
