"""The only place where a name becomes an object: literal, sorted tables, and entry points of plugins.

A row names its object by import path, so that listing the tables imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_eff import spec
from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.errors import SpecError, UsageError, did_you_mean
from robustbench_eff.suite import Suite

if TYPE_CHECKING:
    from robustbench_eff.types import Attack, Corrupts


@dataclass(frozen=True, slots=True)
class Row:
    """Where an object is, and one line about it."""

    path: str
    summary: str

    def load(self) -> Any:
        module, _, attribute = self.path.partition(":")
        return getattr(importlib.import_module(module), attribute)


ATTACKS: Mapping[str, Row] = {
    "apgd": Row("robustbench_eff.attacks.apgd:APGD", "step size that halves itself; CE or DLR (Croce & Hein 2020)"),
    "apgd_t": Row("robustbench_eff.attacks.apgd_t:APGDT", "APGD on targeted DLR, 9 targets (Croce & Hein 2020)"),
    "autoattack": Row(
        "robustbench_eff.attacks.autoattack:AutoAttack", "standard, plus or rand ensemble (Croce & Hein 2020)"
    ),
    "bim": Row("robustbench_eff.attacks.bim:BIM", "PGD without a random start (Kurakin et al. 2017)"),
    "carlini_wagner": Row(
        "robustbench_eff.attacks.carlini_wagner:CarliniWagner", "nearest image in L2 (Carlini & Wagner 2017)"
    ),
    "fab": Row("robustbench_eff.attacks.fab:FAB", "nearest image, untargeted (Croce & Hein 2020)"),
    "fab_t": Row("robustbench_eff.attacks.fab_t:FABT", "nearest image, 9 targets (Croce & Hein 2020)"),
    "fgsm": Row("robustbench_eff.attacks.fgsm:FGSM", "one step along the gradient (Goodfellow et al. 2015)"),
    "fmn": Row("robustbench_eff.attacks.fmn:FMN", "nearest image, fast (Pintor et al. 2021)"),
    "mi_fgsm": Row("robustbench_eff.attacks.mi_fgsm:MIFGSM", "gradient steps with momentum (Dong et al. 2018)"),
    "one_pixel": Row(
        "robustbench_eff.attacks.one_pixel:OnePixel", "differential evolution of a few pixels (Su et al. 2019)"
    ),
    "pgd": Row("robustbench_eff.attacks.pgd:PGD", "projected gradient descent (Madry et al. 2018)"),
    "r_fgsm": Row(
        "robustbench_eff.attacks.r_fgsm:RFGSM", "FGSM from a random start (Tramèr et al. 2018, Wong et al. 2020)"
    ),
    "security_curve": Row(
        "robustbench_eff.attacks.security_curve:SecurityCurve", "accuracy against ε in one warm-started sweep"
    ),
    "square": Row("robustbench_eff.attacks.square:Square", "random search, no gradients (Andriushchenko et al. 2020)"),
}

ADAPTERS: Mapping[str, Row] = {
    "autoattack": Row(
        "robustbench_eff.attacks.pyautoattack_adapter:PyAutoAttack", "the authors' own: autoattack:standard"
    ),
    "foolbox": Row(
        "robustbench_eff.attacks.foolbox_adapter:FoolboxAttack", "any of Foolbox: foolbox:LinfPGD(eps=4/255)"
    ),
}
"""Attacks of other libraries, written PREFIX:NAME; what is no field of the adapter goes to the attack itself."""

CORRUPTIONS: Mapping[str, Row] = {
    "gaussian_noise": Row("robustbench_eff.corruptions.gaussian_noise:GAUSSIAN_NOISE", "normal draws added"),
    "shot_noise": Row("robustbench_eff.corruptions.shot_noise:SHOT_NOISE", "Poisson counts of photons"),
    "impulse_noise": Row("robustbench_eff.corruptions.impulse_noise:IMPULSE_NOISE", "values become black or white"),
    "defocus_blur": Row("robustbench_eff.corruptions.defocus_blur:DEFOCUS_BLUR", "every pixel becomes a disk"),
    "glass_blur": Row("robustbench_eff.corruptions.glass_blur:GLASS_BLUR", "pixels copied from near places"),
    "motion_blur": Row("robustbench_eff.corruptions.motion_blur:MOTION_BLUR", "smeared along a line"),
    "zoom_blur": Row("robustbench_eff.corruptions.zoom_blur:ZOOM_BLUR", "mean of magnified images"),
    "snow": Row("robustbench_eff.corruptions.snow:SNOW", "flakes smeared by the wind"),
    "frost": Row("robustbench_eff.corruptions.frost:FROST", "a picture of ice mixed in"),
    "fog": Row("robustbench_eff.corruptions.fog:FOG", "a plasma fractal added"),
    "brightness": Row("robustbench_eff.corruptions.brightness:BRIGHTNESS", "value of HSV raised"),
    "contrast": Row("robustbench_eff.corruptions.contrast:CONTRAST", "moved towards the mean"),
    "elastic_transform": Row(
        "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM", "pixels moved by a smooth field"
    ),
    "pixelate": Row("robustbench_eff.corruptions.pixelate:PIXELATE", "made small and large again"),
    "jpeg_compression": Row(
        "robustbench_eff.corruptions.jpeg_compression:JPEG_COMPRESSION", "a JPEG file of low quality"
    ),
    "speckle_noise": Row("robustbench_eff.corruptions.speckle_noise:SPECKLE_NOISE", "multiplied by normal draws"),
    "gaussian_blur": Row("robustbench_eff.corruptions.gaussian_blur:GAUSSIAN_BLUR", "Gaussian filter"),
    "spatter": Row("robustbench_eff.corruptions.spatter:SPATTER", "drops of water or mud"),
    "saturate": Row("robustbench_eff.corruptions.saturate:SATURATE", "saturation of HSV changed"),
    "snow_imagecorruptions": Row(
        "robustbench_eff.corruptions.snow:SNOW_IMAGECORRUPTIONS", "snow as imagecorruptions 1.1.2 has it"
    ),
    "elastic_transform_imagecorruptions": Row(
        "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM_IMAGECORRUPTIONS",
        "elastic_transform as imagecorruptions 1.1.2 has it",
    ),
}
"""The 15 of ImageNet-C in its order, the 4 extra ones, and what other code makes of two of them."""

IMAGENET_C = tuple(CORRUPTIONS)[:15]
"""What mCE is the mean over."""
SEVERITIES = range(1, 6)

SETS: Mapping[str, tuple[str, ...]] = {
    "imagenet_c": tuple(f"{name}(severity={level})" for name in tuple(CORRUPTIONS)[:19] for level in SEVERITIES),
    "cifar10_c": tuple(
        f"{name}(severity={level}, constants='cifar10')" for name in tuple(CORRUPTIONS)[:19] for level in SEVERITIES
    ),
}
"""Words that stand for many perturbations."""

BENCHMARKS: Mapping[str, Row] = {
    "cifar10": Row("robustbench_eff.benchmarks.cifar10:CIFAR10", "CIFAR-10 test, 10,000 images"),
    "cifar10-c-generated": Row(
        "robustbench_eff.benchmarks.cifar10:CIFAR10_C_GENERATED", "CIFAR-10-C, made from cifar10 on the fly"
    ),
    "digits": Row("robustbench_eff.benchmarks.digits:DIGITS", "handwritten digits, 360 images, no download"),
    "imagenet": Row("robustbench_eff.benchmarks.imagenet:IMAGENET", "ImageNet-1k validation, 50,000 images"),
    "imagenet-c-generated": Row(
        "robustbench_eff.benchmarks.imagenet:IMAGENET_C_GENERATED", "ImageNet-C, made from imagenet on the fly"
    ),
}

SUITES: Mapping[str, str] = {
    "autoattack": "clean and AutoAttack, L∞ and L2",
    "corruptions": "clean and 19 corruptions at 5 severities",
    "masking": "what the checks for gradient masking compare",
    "quick": "clean, FGSM and PGD-10 at one ε",
    "standard": "clean, FGSM and PGD at several ε, L∞ and L2",
}

ONE_STEP = 2
"""Passes of an attack that takes a single gradient."""

PLUGINS = "robustbench_eff.attacks"
"""Entry-point group of third-party attacks, named `vendor/name`."""


def attack(text: str) -> Attack:
    """The attack that `text` describes; SpecError for an unknown name or field.

    Of `ATTACK from MODEL` it is the attack, with all its steps: an image at the surrogate's boundary, where most
    attacks stop, transfers badly. SpecError for an attack that cannot go on.
    """
    words, model = surrogate(text)
    item = _attack(words)
    if model is None or item.max_passes <= ONE_STEP:
        return item
    if not hasattr(item, "early_stop"):
        raise SpecError(
            f"{words} stops at the surrogate's boundary, so its images say nothing about transfer.",
            "Use pgd, bim, mi_fgsm, fgsm or r_fgsm.",
        )
    return dataclasses.replace(item, early_stop=False)  # type: ignore[type-var]


def corruption(text: str, jpeg_quality: int | None = None) -> Corrupts:
    """The corruption that `text` describes, saved as JPEG files where a quality is given; SpecError as `attack`."""
    parsed = spec.parse(text)
    from robustbench_eff.corruptions import Corruption, Saved

    made = spec.build(Corruption, parsed, kernel=CORRUPTIONS[parsed.name].load())
    return made if jpeg_quality is None else Saved(made, jpeg_quality)


def is_corruption(text: str) -> bool:
    """Whether it is a corruption and not an attack; SpecError for what cannot be read."""
    return spec.parse(surrogate(text)[0]).name in CORRUPTIONS


def expanded(texts: Iterable[str]) -> list[str]:
    """Perturbations with every word for many of them replaced by those."""
    return [single for text in texts for single in SETS.get(text, (text,))]


def is_adapted(text: str) -> bool:
    """Whether the attack is another library's, which queries the plain network."""
    prefix, colon, _ = spec.parse(surrogate(text)[0]).name.partition(":")
    return bool(colon) and prefix in ADAPTERS


def surrogate(text: str) -> tuple[str, str | None]:
    """The attack's text, and the model it is found on where that is not the one that is judged."""
    words, _, model = text.partition(" from ")
    return words, model.strip() or None


def _attack(text: str) -> Attack:
    parsed = spec.parse(text)
    prefix, _, rest = parsed.name.partition(":")
    item: Attack
    if rest and prefix in ADAPTERS:
        item = _adapted(ADAPTERS[prefix].load(), rest, parsed)
    else:
        item = spec.build(_attack_class(parsed.name), parsed)
    return item


def perturbation_text(text: str) -> str:
    """The canonical spec text of an attack or a corruption."""
    return spec.text_of(spec.parse(text).name, corruption(text)) if is_corruption(text) else attack_text(text)


def attack_text(text: str) -> str:
    """The canonical spec text of an attack: the same for every way to write the same fields."""
    words, model = surrogate(text)
    name, tail = spec.parse(words).name, "" if model is None else f" from {model}"
    item: Any = attack(text)
    if not is_adapted(words):
        return spec.text_of(name, item) + tail
    norm = [] if item.norm is None else [("norm", item.norm)]
    arguments = [
        f"{key}={spec.literal(value)}" for key, value in [("eps", item.eps), *norm, *getattr(item, "options", ())]
    ]
    return f"{name}({', '.join(arguments)}){tail}"


def benchmark(name: str, place: str | None = None) -> Benchmark:
    """A row of the table, or the user's own set of that name when `place` says where it is."""
    if name in BENCHMARKS:
        row: Benchmark = BENCHMARKS[name].load()
        return row
    if place is not None:
        return Benchmark(
            name=name,
            title="the user's own images",
            label_space=f"custom:{name}",
            licence="the user's",
            where=place,
            num_classes=None,
        )
    known = f"Known: {', '.join(BENCHMARKS)}; for images of yours add --data {name}=PATH."
    raise UsageError(f"Unknown benchmark {name!r}.", f"{did_you_mean(name, BENCHMARKS)}\n{known}".strip())


def suite(name: str) -> Suite:
    """A shipped suite by name, or a user's YAML file by path."""
    if name in SUITES:
        return Suite.parse((files("robustbench_eff") / "suites" / f"{name}.yaml").read_text(), name)
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return Suite.parse(path.read_text(), name)
    hint = did_you_mean(name, SUITES) or f"Known: {', '.join(SUITES)}; or the path of a YAML file."
    raise UsageError(f"Unknown suite {name!r}.", hint)


def attack_names() -> dict[str, str]:
    """Every attack and its summary, plugins last."""
    own = {name: row.summary for name, row in ATTACKS.items()}
    own |= {f"{name}:NAME": row.summary for name, row in ADAPTERS.items()}
    return own | {point.name: f"plugin {point.value}" for point in _plugins()}


def _attack_class(name: str) -> type[Attack]:
    if name in ATTACKS:
        own: type[Attack] = ATTACKS[name].load()
        return own
    for point in _plugins():
        if point.name == name:
            plugin: type[Attack] = point.load()
            return plugin
    known = attack_names()
    hint = did_you_mean(name, [*known, *CORRUPTIONS, *SETS])
    raise SpecError(f"Unknown attack or corruption {name!r}.", hint or f"Attacks: {', '.join(known)}.")


def _adapted(kind: Any, name: str, parsed: spec.Spec) -> Attack:
    """An adapter for the attack `name`; arguments that are no field of it are options of that attack."""
    known = {field.name for field in dataclasses.fields(kind)} - {"name", "options"}
    own = {key: value for key, value in parsed.arguments.items() if key in known}
    built: Attack = spec.build(kind, spec.Spec(parsed.name, own | {"name": name}))
    options = tuple(sorted((key, value) for key, value in parsed.arguments.items() if key not in known))
    if not options:
        return built
    if not hasattr(kind, "options"):
        raise SpecError(f"{parsed.name} has no field {options[0][0]!r}.", f"Fields: {', '.join(sorted(known))}.")
    return dataclasses.replace(built, options=options)  # type: ignore[type-var]


def _plugins() -> list[Any]:
    """Entry points named `vendor/name`; a name without a vendor would be able to replace one of ours."""
    points = sorted(entry_points(group=PLUGINS), key=lambda point: point.name)
    for point in points:
        if "/" not in point.name:
            raise UsageError(f"Plugin {point.name!r} ({point.value}) must be named vendor/name.")
    return points
