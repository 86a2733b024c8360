"""AutoAttack: an ensemble without parameters to tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import LpNorm, Threat
from robustbench_eff.core.types import Attack, AttackUses, Images, ImagesToLogits, Labels

from .apgd import APGD
from .apgd_t import APGDT
from .fab import FAB
from .fab_t import FABT
from .oracle import Oracle
from .preconditions import attack_inputs
from .square import Square


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoAttack:
    """Several attacks in sequence, each on the samples that survived the previous ones.

    `standard`: APGD on CE, APGD on targeted DLR, FAB-T, Square with 5,000 queries. `plus`: more restarts, and APGD on
    DLR and untargeted FAB in addition. `rand`, the authors' list for networks that draw random numbers: APGD on CE and
    on DLR, gradients averaged over 20 queries. The outcomes name the attack that succeeded. It follows gradients, but
    Square, which needs only logits, is part of `standard` and `plus`.
    Source: Croce & Hein 2020, arXiv:2003.01690; L1: Croce & Hein 2021, arXiv:2103.01208; order and hyper-parameters
    as in pyautoattack 0.2.0.
    Differs: as documented for the individual attacks.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[AttackUses] = "gradients"
    stochastic: ClassVar[bool] = True
    rough_gradients: ClassVar[bool] = True

    eps: float = 4 / 255
    """Radius of the ball, in units of [0, 1] pixels."""
    norm: LpNorm = "linf"
    """Norm of the ball."""
    variant: Literal["standard", "plus", "rand"] = "standard"
    """The list of attacks."""

    def __post_init__(self) -> None:
        Threat(self.norm, self.eps)

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat(self.norm, self.eps)

    @property
    def eot(self) -> int:
        """Queries that each gradient averages over; 1 for as many as a network that draws random numbers needs."""
        return 20 if self.variant == "rand" else 1

    @property
    def max_passes(self) -> int:
        """See `Attack`."""
        # One more for each attack, whose images are classified again.
        return sum(attack.max_passes + 1 for attack in self.attacks().values())

    def attacks(self) -> dict[str, Attack]:
        """Return the attacks in their order, by the name that the outcomes give."""
        ball: dict[str, Any] = {"eps": self.eps, "norm": self.norm}
        sparse = self.norm == "l1"
        if self.variant == "rand":
            return {
                "apgd-ce": APGD(**ball, loss="ce", eot=self.eot),
                "apgd-dlr": APGD(**ball, loss="dlr", eot=self.eot),
            }
        if self.variant == "plus":
            return {
                "apgd-ce": APGD(**ball, loss="ce", restarts=5),
                "apgd-dlr": APGD(**ball, loss="dlr", restarts=5),
                "fab": FAB(**ball, restarts=5),
                "square": Square(**ball),
                "apgd-t": APGDT(**ball),
                "fab-t": FABT(**ball),
            }
        return {
            "apgd-ce": APGD(**ball, loss="ce", restarts=5 if sparse else 1, shrinking_ball=sparse),
            "apgd-t": APGDT(**ball, targets=5 if sparse else 9, shrinking_ball=sparse),
            "fab-t": FABT(**ball),
            "square": Square(**ball),
        }

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`. Where all attacks fail, it returns the clean image."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        adversarial = images.clone()
        live = torch.arange(len(images), device=images.device)
        with Oracle.open(classifier, images, labels) as oracle:
            for name, attack in self.attacks().items():
                if not len(live):
                    break
                with oracle.part(live) as part:
                    proposed = attack(part, images[live], labels[live], draws[live])
                success = oracle.misclassified(proposed, labels[live], live)
                adversarial[live[success]] = proposed[success]
                for row in live[success].tolist():
                    oracle.effort.won_by[row] = name
                live = live[~success]
        return adversarial
