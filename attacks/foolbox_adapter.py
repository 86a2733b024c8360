"""Attacks of Foolbox, by their names there."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Norm, Threat
from robustbench_eff.core.types import AttackUses, Images, ImagesToLogits, Labels

from .adapters_common import CallableModule, seeded
from .oracle import Oracle
from .preconditions import attack_inputs

NORM_OF: dict[float, Norm] = {math.inf: "linf", 2: "l2", 1: "l1", 0: "l0"}

USES_OF_MODULE: Mapping[str, AttackUses] = {
    "additive_noise": "decisions",
    "binarization": "decisions",
    "blended_noise": "decisions",
    "blur": "decisions",
    "boundary_attack": "decisions",
    "contrast": "decisions",
    "contrast_min": "decisions",
    "dataset_attack": "decisions",
    "fast_gradient_method": "one gradient",
    "gen_attack": "logits",
    "hop_skip_jump": "decisions",
    "inversion": "decisions",
    "pointwise": "decisions",
    "saltandpepper": "decisions",
    "spatial_attack": "decisions",
}
"""Use of the model by the attacks of each module of Foolbox 3.3.4; those of all other modules follow gradients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoolboxAttack:
    """`foolbox:NAME(eps=..., option=...)`: an attack of `foolbox.attacks` with its own options, untargeted.

    Source: Rauber, Brendel & Bethge 2017, arXiv:1707.04131, and the paper of each attack.
    Differs: nothing in the attack. Its random draws are seeded (a sample's draws depend on the other samples of its
    shard), and the referee judges the results.
    """

    version: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True

    name: str = "LinfPGD"
    """Name of a class in `foolbox.attacks`."""
    eps: float | None = 4 / 255
    """Radius of the ball in the attack's own norm; None lets an attack search for the closest adversarial image."""
    norm: Norm | None = None
    """None takes the attack's own norm."""
    options: tuple[tuple[str, Any], ...] = ()
    """Names and values of further arguments of the attack's constructor."""

    def __post_init__(self) -> None:
        if dict(self.options).get("tensorboard", False) is not False:
            raise SpecError(
                f"foolbox:{self.name}: tensorboard would write files wherever the attack's text says.", "Leave it out."
            )
        self._build()
        Threat.within(self._norm(), self.eps)

    @property
    def uses(self) -> AttackUses:
        """See `Attack`."""
        return foolbox_attack_uses(self.name)

    @property
    def threat(self) -> Threat:
        """See `Attack`."""
        return Threat.within(self._norm(), self.eps)

    @property
    def max_passes(self) -> int:
        """An estimate for the progress bar: two passes per step."""
        return 2 * int(getattr(self._build(), "steps", 50))

    def __call__(
        self, classifier: ImagesToLogits, images: Images, labels: Labels, draws: RandomStreams | None = None
    ) -> Images:
        """See `Attack`; also raises whatever Foolbox raises."""
        images, labels = attack_inputs(images, labels)
        draws = RandomStreams.given(draws, images)
        if not len(images):
            return images.clone()
        with Oracle.open(classifier, images, labels) as oracle, seeded(draws):
            model = _foolbox().PyTorchModel(CallableModule(oracle), bounds=(0, 1), device=images.device)
            _, clipped, _ = self._build()(model, images.contiguous(), labels, epsilons=self.eps)
        adversarial: Images = clipped
        return adversarial.detach()

    def _build(self) -> Any:
        attack = _attack_class(self.name)
        try:
            return attack(**dict(self.options))
        except (TypeError, ValueError) as error:
            raise SpecError(f"foolbox:{self.name}: {error}.") from error

    def _norm(self) -> Norm:
        if self.norm is not None:
            return self.norm
        try:
            order = self._build().distance.p
        except (AttributeError, ValueError) as error:  # an attack that does not minimize a norm
            hint = "Give norm=linf, l2, l1 or l0."
            raise SpecError(f"foolbox:{self.name} does not define a norm.", hint) from error
        return NORM_OF[order]


def foolbox_attack_uses(name: str) -> AttackUses:
    """Return what an attack of Foolbox uses of the model, by the module that defines it.

    Args:
        name: Name of a class in `foolbox.attacks`.

    Raises:
        SpecError: If Foolbox does not have an attack of this name.
        UsageError: If Foolbox is not installed.
    """
    module = _attack_class(name).__module__.rpartition(".")[2]
    return USES_OF_MODULE.get(module, "gradients")


def _attack_class(name: str) -> type[Any]:
    attacks = {key: item for key, item in vars(_foolbox().attacks).items() if inspect.isclass(item)}
    if name not in attacks:
        hint = did_you_mean(name, attacks) or f"Known: {', '.join(sorted(attacks))}."
        raise SpecError(f"Unknown Foolbox attack {name!r}.", hint)
    attack: type[Any] = attacks[name]
    return attack


def _foolbox() -> Any:
    try:
        import foolbox
    except ImportError as error:
        raise UsageError("Attacks named foolbox:NAME need Foolbox.", "pip install foolbox") from error
    return foolbox
