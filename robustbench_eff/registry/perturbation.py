"""Perturbation: what changes the images of a benchmark, parsed once from a text or given as an object."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from robustbench_eff.core import spec
from robustbench_eff.core.code_origin import BY_USER, CodeOrigin
from robustbench_eff.core.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.storage.stored_cell import CLEAN, PerturbationKind

from .attacks import ADAPTERS, ATTACKS
from .build_corruption import parse_corruption, parse_sequence, published_only, refuse_set, text_with_constants
from .corruptions import CORRUPTIONS
from .other_names import instead_of
from .perturbation_sets import BY_SIZE, PERTURBATION_SETS, PUBLISHED_ONLY, expand_sets
from .sequences import SEQUENCES

if TYPE_CHECKING:
    from robustbench_eff.core.types import Attack, FrameGenerator, ImageCorruption
    from robustbench_eff.models.smoothing import Smoothing

    Component = Attack | ImageCorruption | FrameGenerator | Smoothing

ONE_STEP = 2
"""Forward and backward passes of an attack that takes a single gradient."""
TRANSFER = " from "
"""Separates an attack from the model on which its images are computed: `pgd(eps=8/255) from timm:resnet50`."""
SMOOTHING, ON = "smoothing", " on "
"""Name of a certificate, `smoothing(sigma=0.25)`, and what separates it from an attack on the smoothed classifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """An attack, a corruption, a frame sequence, a certificate, or nothing. Two are equal if their texts are."""

    text: str
    """Canonical text: the same for every way to write the same fields."""
    kind: PerturbationKind
    component: Component | None = field(compare=False, repr=False, default=None)
    """What changes the images, or certifies them; None for clean images."""
    transfer_from: str | None = None
    """Name of the model on which an attack's images are computed; None for the evaluated model."""
    is_adapted: bool = False
    """Whether it is an attack of another library, which queries the plain network and draws once per shard."""
    smoothing: Smoothing | None = field(compare=False, repr=False, default=None)
    """The smoothed classifier that is certified, or attacked in place of the network; None for anything else."""
    assumed: tuple[str, ...] = field(compare=False, default=())
    """What was assumed of it, one line each."""
    by_size: bool = False
    """Whether the size of the images chooses the constants; `with_constants` then returns what is applied. Until then
    the component has those of ImageNet-C."""

    @property
    def after(self) -> str | None:
        """Text of the perturbation whose predictions must be known first; None for clean images."""
        if self.kind == "attack" and self.smoothing is not None:
            return spec.text_of(SMOOTHING, self.smoothing.certificate)
        return None if self.kind == "none" else CLEAN

    @property
    def attack(self) -> Attack:
        """The component of a perturbation of kind `attack`."""
        return cast("Attack", self.component)

    @property
    def corruption(self) -> ImageCorruption:
        """The component of a perturbation of kind `corruption`."""
        return cast("ImageCorruption", self.component)

    @property
    def sequence(self) -> FrameGenerator:
        """The component of a perturbation of kind `sequence`."""
        return cast("FrameGenerator", self.component)


UNPERTURBED = Perturbation(text=CLEAN, kind="none")


def parse_perturbation(text: str, origin: CodeOrigin = BY_USER) -> Perturbation:
    """Return the perturbation that a text describes.

    Args:
        text: `none`, or the name of a row of the tables of attacks, corruptions or sequences with its fields, such as
            `pgd(eps=4/255, steps=50)`; `foolbox:NAME(...)` for an attack of Foolbox; `path/to/file.py:CLASS(...)` for
            an attack of the user; an attack may be followed by ` from MODEL` or ` on smoothing(...)`; `smoothing(...)`
            for a certificate.
        origin: Who wrote the text.

    Raises:
        SpecError: The text cannot be read, its name is not in the tables, or a field is unknown or has a wrong value.
        UsageError: An attack of the user cannot be loaded, or a file names it and is not trusted.
    """
    if text == CLEAN:
        return UNPERTURBED
    written, _, smoothed = text.partition(ON)
    parsed = spec.parse(written.partition(TRANSFER)[0])
    if smoothed or parsed.name == SMOOTHING:
        from .smoothed import parse_smoothed

        return parse_smoothed(text, origin)
    constants = parsed.arguments.get("constants")
    if constants == BY_SIZE:
        return _by_size(parsed)
    if parsed.name in CORRUPTIONS or constants in PUBLISHED_ONLY:
        return _described("corruption", parsed.name, parse_corruption(text))
    if parsed.name in SEQUENCES:
        return _described("sequence", parsed.name, parse_sequence(text))
    return _attack(text, origin)


def with_constants(perturbation: Perturbation, constants: str) -> Perturbation:
    """Return a perturbation with these constants if its text leaves them open; most are returned as they are.

    Args:
        perturbation: Any perturbation.
        constants: Name of the constants, such as `constants_for` returns for images of a size.

    Raises:
        SpecError: The corruption does not have these constants.
    """
    return (
        parse_perturbation(text_with_constants(spec.parse(perturbation.text), constants))
        if perturbation.by_size
        else perturbation
    )


def as_perturbation(value: str | Component, origin: CodeOrigin = BY_USER) -> Perturbation:
    """Return the perturbation that a text describes, or that an object of the user is.

    Args:
        value: A text as for `parse_perturbation`, or an attack, a corruption, a frame sequence or a `Smoothing`. An
            instance of a row's class gets the text that would build it; any other is named `module:CLASS`.
        origin: Who wrote the text.

    Raises:
        SpecError: As for `parse_perturbation`.
        UsageError: As for `parse_perturbation`; or the object is neither a corruption nor a sequence, and
            `check_attack` refuses it.
    """
    if isinstance(value, str):
        return parse_perturbation(value, origin)
    from robustbench_eff.core.types import FrameGenerator, ImageCorruption

    name = ATTACKS.name_of(value)
    if name == "robustbench_eff.models.smoothing:Smoothing":
        return parse_perturbation(spec.text_of(SMOOTHING, value))
    if isinstance(value, FrameGenerator):
        return _described("sequence", str(value.configuration.get("sequence", name)), value)
    if isinstance(value, ImageCorruption) and not hasattr(value, "threat"):
        return _described("corruption", str(value.configuration.get("corruption", name)), value)
    from .user_attack import check_attack

    check_attack(name, value)
    return _described("attack", name, value)


def perturbations(values: Iterable[str | Component], origin: CodeOrigin = BY_USER) -> list[Perturbation]:
    """Return the perturbations of a run: the clean images first, sets replaced by their members, nothing twice.

    Args:
        values: Texts, names of perturbation sets, or objects as for `as_perturbation`.
        origin: Who wrote the texts.

    Raises:
        SpecError: As for `parse_perturbation`.
        UsageError: As for `as_perturbation`.
    """
    ordered = [UNPERTURBED]
    for change in (as_perturbation(value, origin) for value in expand_sets(values)):
        ordered += [change] if change.after is None else [parse_perturbation(change.after), change]
    return list(dict.fromkeys(ordered))


def parse_attack(text: str, origin: CodeOrigin = BY_USER) -> Attack:
    """Return the attack that a text describes.

    Args:
        text: Name and fields as for `parse_perturbation`. For `ATTACK from MODEL` early stopping is switched off,
            because examples that stop at the surrogate's decision boundary transfer poorly.
        origin: Who wrote the text.

    Raises:
        SpecError: The name is not in the table, a field is unknown or has a wrong value, or the attack cannot run
            without early stopping on a surrogate.
        UsageError: As for `parse_perturbation`.
    """
    return _attack(text, origin).attack


def attack_names() -> dict[str, str]:
    """Return every attack with its summary, adapters and plugins last."""
    own = {name: row.summary for name, row in ATTACKS.own.items()}
    adapters = {f"{name}:NAME": row.summary for name, row in ADAPTERS.items()}
    return own | adapters | {name: ATTACKS[name].summary for name in ATTACKS if name not in ATTACKS.own}


def _by_size(parsed: spec.Spec) -> Perturbation:
    at_imagenet = parse_perturbation(text_with_constants(parsed, "imagenet"))
    return replace(at_imagenet, text=text_with_constants(spec.parse(at_imagenet.text), BY_SIZE), by_size=True)


def _attack(text: str, origin: CodeOrigin) -> Perturbation:
    written, _, surrogate = text.partition(TRANSFER)
    surrogate = surrogate.strip()
    parsed = spec.parse(written)
    prefix, _, rest = parsed.name.partition(":")
    is_adapted = bool(rest) and prefix in ADAPTERS
    component: Any = _adapted(ADAPTERS[prefix].load(), rest, parsed) if is_adapted else _plain_attack(parsed, origin)
    if surrogate and component.max_passes > ONE_STEP:
        if not hasattr(component, "early_stop"):
            raise SpecError(
                f"{written} cannot run on a surrogate: it lacks a field early_stop to switch off, and an attack that "
                "stops at the surrogate's decision boundary transfers poorly.",
                "Use pgd, bim, mi_fgsm, fgsm or r_fgsm; square for a surrogate without gradients.",
            )
        component = replace(component, early_stop=False)
    canonical = _adapted_text(parsed.name, component) if is_adapted else spec.text_of(parsed.name, component)
    return Perturbation(
        text=f"{canonical}{TRANSFER}{surrogate}" if surrogate else canonical,
        kind="attack",
        component=component,
        transfer_from=surrogate or None,
        is_adapted=is_adapted,
    )


def _plain_attack(parsed: spec.Spec, origin: CodeOrigin) -> Attack:
    """An attack of the table or of the user."""
    name = parsed.name
    if name in ATTACKS:
        return cast("Attack", ATTACKS.build(parsed))
    refuse_set(parsed)
    if ":" in name:
        return _user_attack(parsed, origin)
    if name.endswith(".py"):
        raise SpecError(f"{name} does not name a class of the file.", f"Write {name}:CLASS.")
    known = attack_names()
    hint = (
        published_only(parsed)
        or instead_of(name)
        or did_you_mean(name, [*known, *CORRUPTIONS, *SEQUENCES, *PERTURBATION_SETS, SMOOTHING])
    )
    raise SpecError(
        f"Unknown attack, corruption or sequence {name!r}.",
        hint or f"Attacks: {', '.join(known)}.\nCorruptions and sequences: robust-eval list corruptions",
    )


def _user_attack(parsed: spec.Spec, origin: CodeOrigin) -> Attack:
    from .user_attack import load_attack

    try:
        return load_attack(parsed, origin)
    except UsageError as error:
        prefix = parsed.name.partition(":")[0]
        hint = did_you_mean(prefix, ADAPTERS)
        if hint and prefix.isidentifier() and find_spec(prefix) is None:
            raise SpecError(f"{prefix} is neither a module nor a library of attacks.", hint) from error
        raise


def _adapted(kind: Any, name: str, parsed: spec.Spec) -> Attack:
    """Return an adapter for the attack `name`; arguments that are not fields of the adapter are its options."""
    own_names = {field.name for field in dataclasses.fields(kind)} - {"name", "options"}
    own = {key: value for key, value in parsed.arguments.items() if key in own_names}
    built: Attack = spec.build(kind, spec.Spec(parsed.name, own | {"name": name}))
    options = tuple(sorted((key, value) for key, value in parsed.arguments.items() if key not in own_names))
    if not options:
        return built
    if not hasattr(kind, "options"):
        fields = ", ".join(sorted(own_names))
        raise SpecError(f"{parsed.name} does not have a field {options[0][0]!r}.", f"Fields: {fields}.")
    return replace(built, options=options)  # type: ignore[type-var]


def _adapted_text(name: str, component: Any) -> str:
    norm = [] if component.norm is None else [("norm", component.norm)]
    pairs = [("eps", component.eps), *norm, *getattr(component, "options", ())]
    return f"{name}({', '.join(f'{key}={spec.literal(value)}' for key, value in pairs)})"


def _described(kind: PerturbationKind, name: str, component: Any) -> Perturbation:
    return Perturbation(text=spec.text_of(name, component), kind=kind, component=component)
