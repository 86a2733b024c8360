"""AutoAttack as its authors ship it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_eff.core.errors import SpecError, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels

from .adapters_common import CallableModule, seeded
from .oracle import Oracle

VARIANTS = ("standard", "plus", "rand")
PARTS = ("apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t", "square")
NAMES = {"linf": "Linf", "l2": "L2", "l1": "L1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PyAutoAttack:
    """`autoattack:standard(eps=...)`: the package pyautoattack; also `plus`, `rand` and each part by its name there.

    Source: Croce & Hein 2020, arXiv:2003.01690; pyautoattack 0.2.0.
    Differs: nothing in the attack; it is seeded (a sample's draws depend on the others of its shard), and the referee
    judges what comes out.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    name: str = "standard"
    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"

    def __post_init__(self) -> None:
        if self.name not in VARIANTS + PARTS:
            raise SpecError(f"autoattack: has no {self.name!r}.", f"Known: {', '.join(VARIANTS + PARTS)}.")
        Threat(self.norm, self.eps)

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """For the progress bar: what the standard set spends on a robust sample."""
        return 9000

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]). Errors as Oracle.open, and whatever pyautoattack raises."""
        draws = RandomStreams.given(draws, images)
        if not len(images):
            return images.clone()
        with Oracle.open(classifier, images, labels) as oracle, seeded(draws) as seed:
            whole = self.name in VARIANTS
            ensemble = _pyautoattack().AutoAttack(
                CallableModule(oracle),
                norm=NAMES[self.norm],
                eps=self.eps,
                seed=seed,
                device=images.device,
                version=self.name if whole else "custom",
                attacks=None if whole else [self.name],
            )
            found, _ = ensemble.run_standard_evaluation(images.contiguous(), labels, batch_size=len(images))
        adversarial: Images = found
        return adversarial.detach()


def _pyautoattack() -> Any:
    try:
        import pyautoattack
    except ImportError as error:
        raise UsageError("Attacks named autoattack:NAME need pyautoattack.", "pip install pyautoattack") from error
    return pyautoattack
