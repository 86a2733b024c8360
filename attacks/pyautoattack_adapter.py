"""AutoAttack as its authors publish it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_eff.core.errors import SpecError, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .adapters_common import CallableModule, seeded
from .oracle import Oracle
from .preconditions import attack_inputs

VARIANTS = ("standard", "plus", "rand")
PARTS = ("apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t", "square")
NAMES = {"linf": "Linf", "l2": "L2", "l1": "L1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PyAutoAttack:
    """`autoattack:standard(eps=...)`: the package pyautoattack; also `plus`, `rand` and each part by its name there.

    Source: Croce & Hein 2020, arXiv:2003.01690; pyautoattack 0.2.0.
    Differs: nothing in the attack. It is seeded (a sample's draws depend on the other samples of its shard), and the
    referee judges the results.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    name: str = "standard"
    """A variant (standard, plus, rand) or a part (apgd-ce, apgd-dlr, apgd-t, fab, fab-t, square)."""
    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""

    def __post_init__(self) -> None:
        if self.name not in VARIANTS + PARTS:
            raise SpecError(f"autoattack: does not have {self.name!r}.", f"Known: {', '.join(VARIANTS + PARTS)}.")
        Threat(self.norm, self.eps)

    @property
    def uses(self) -> AttackUses:
        """See `Attack`; Square, which needs only logits, is also part of `standard` and `plus`."""
        return "logits" if self.name == "square" else "gradients"

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def max_passes(self) -> int:
        """An estimate for the progress bar: the passes of `standard` on a robust sample."""
        return 9000

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; also raises whatever pyautoattack raises."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        if not len(images):
            return images.clone()
        with Oracle.open(classifier, images, labels) as oracle, seeded(draws) as seed:
            is_variant = self.name in VARIANTS
            ensemble = _pyautoattack().AutoAttack(
                CallableModule(oracle),
                norm=NAMES[self.norm],
                eps=self.eps,
                seed=seed,
                device=images.device,
                version=self.name if is_variant else "custom",
                attacks=None if is_variant else [self.name],
            )
            result, _ = ensemble.run_standard_evaluation(images.contiguous(), labels, batch_size=len(images))
        adversarial: Images = result
        return adversarial.detach()


def _pyautoattack() -> Any:
    try:
        import pyautoattack
    except ImportError as error:
        raise UsageError("Attacks named autoattack:NAME need pyautoattack.", "pip install pyautoattack") from error
    return pyautoattack
