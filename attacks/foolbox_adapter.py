"""Any attack of Foolbox, by its name there."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Norm, Threat
from robustbench_eff.core.types import Images, ImagesToLogits, Labels

from .adapters_common import CallableModule, seeded
from .oracle import Oracle

NORM_OF: dict[float, Norm] = {math.inf: "linf", 2: "l2", 1: "l1", 0: "l0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoolboxAttack:
    """`foolbox:NAME(eps=..., option=...)`: an attack of `foolbox.attacks` with its own options, untargeted.

    Source: Rauber, Brendel & Bethge 2017, arXiv:1707.04131, and the paper of each attack.
    Differs: nothing in the attack; random draws are seeded (a sample's depend on the others of its shard), and the
    referee judges what comes out.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    name: str = "LinfPGD"
    """Of a class in `foolbox.attacks`."""
    eps: float | None = 4 / 255
    """Radius of the ball in the attack's own norm; None lets an attack look for the nearest adversarial image."""
    norm: Norm | None = None
    """None takes the attack's own."""
    options: tuple[tuple[str, Any], ...] = ()
    """What else its constructor is given."""

    def __post_init__(self) -> None:
        self._build()
        Threat.within(self._norm(), self.eps)

    @property
    def threat(self) -> Threat:
        return Threat.within(self._norm(), self.eps)

    @property
    def max_passes(self) -> int:
        """A guess, for the progress bar: two passes a step."""
        return 2 * int(getattr(self._build(), "steps", 50))

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """Adversarial images for `images` (float, [0, 1]). Errors as Oracle.open, and whatever Foolbox raises."""
        draws = RandomStreams.given(draws, images)
        if not len(images):
            return images.clone()
        with Oracle.open(classifier, images, labels) as oracle, seeded(draws):
            model = _foolbox().PyTorchModel(CallableModule(oracle), bounds=(0, 1), device=images.device)
            _, clipped, _ = self._build()(model, images.contiguous(), labels, epsilons=self.eps)
        found: Images = clipped
        return found.detach()

    def _build(self) -> Any:
        attacks = _foolbox().attacks
        kinds = [name for name, item in vars(attacks).items() if inspect.isclass(item)]
        if self.name not in kinds:
            hint = did_you_mean(self.name, kinds) or f"Foolbox has: {', '.join(sorted(kinds))}."
            raise SpecError(f"Foolbox has no attack {self.name!r}.", hint)
        try:
            return getattr(attacks, self.name)(**dict(self.options))
        except (TypeError, ValueError) as error:
            raise SpecError(f"foolbox:{self.name}: {error}.") from error

    def _norm(self) -> Norm:
        if self.norm is not None:
            return self.norm
        try:
            order = self._build().distance.p
        except (AttributeError, ValueError) as error:  # an attack that minimises nothing in particular
            hint = "Give norm=linf, l2, l1 or l0."
            raise SpecError(f"foolbox:{self.name} does not say its norm.", hint) from error
        return NORM_OF[order]


def _foolbox() -> Any:
    try:
        import foolbox
    except ImportError as error:
        raise UsageError("Attacks named foolbox:NAME need Foolbox.", "pip install foolbox") from error
    return foolbox
