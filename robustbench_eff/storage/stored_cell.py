"""StoredCell: one classifier on one benchmark under one perturbation, and its id, a hash of all that it consists of."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from robustbench_eff.core.errors import StoreError
from robustbench_eff.core.protocol import Protocol

from .record import REPAIR_HINT

if TYPE_CHECKING:
    from robustbench_eff.core.types import AttackUses

PerturbationKind = Literal["none", "attack", "corruption", "sequence", "certificate"]
CLEAN = "none"
"""Text of the perturbation that leaves the images as they are."""
_USES_OF_FORMAT_4: Mapping[AttackUses, tuple[str, ...]] = {
    "one gradient": ("fgsm", "r_fgsm"),
    "gradients": (
        "apgd",
        "apgd_t",
        "autoattack",
        "bim",
        "carlini_wagner",
        "fab",
        "fab_t",
        "fmn",
        "mi_fgsm",
        "pgd",
        "security_curve",
    ),
    "logits": ("square", "one_pixel", "autoattack:square"),
}
_NOT_IDENTITY = ("id", "model", "kind", "uses", "flags", "weights_from")
_TEXTS = {
    "model",
    "model_source",
    "weights_from",
    "model_digest",
    "preprocessing",
    "benchmark",
    "data",
    "classes",
    "perturbation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """The unit of evaluation: one classifier on one benchmark under one perturbation, identified by its content."""

    id: str = ""
    """Hash of everything that can change an outcome; see `identified`."""
    model: str
    """Name as the user wrote it. A name does not identify a model, its digest does."""
    model_source: str
    """The source that built the model, such as `timm:resnet50`."""
    model_digest: str
    """Hash of the weights, the structure and the code of the model."""
    preprocessing: str
    """How images are resized, cropped and normalized for the model."""
    benchmark: str
    """Name of the benchmark."""
    protocol: Protocol
    """Protocol of the images, without seeds and precision."""
    data: str
    """Hash of the ids, labels and bytes of the samples."""
    classes: str
    """Hash of the map from the model's outputs to the benchmark's classes; empty where they are the same."""
    samples: int
    """Number of samples of a complete cell."""
    perturbation: str
    """Canonical text, default values left out; `none` for clean images."""
    kind: PerturbationKind
    uses: AttackUses | None
    """What an attack queries of the model, such as its gradients; None for anything else, or if it is unknown."""
    configuration: Mapping[str, Any]
    """Every field of the perturbation, its version, its threat model, and the precision of the queried network."""
    seed: int | None
    """Seed of the random draws; None where nothing is drawn at random."""
    flags: tuple[str, ...] = ()
    """What a reader must know about the model before trusting a number, such as that its weights are random."""
    weights_from: str = ""
    """Address and hash of the model's weights, where they were downloaded from an address."""

    @property
    def is_published(self) -> bool:
        """Whether the images are published corrupted files instead of images corrupted in the run."""
        return bool(self.configuration.get("published", False))

    @property
    def orders(self) -> int:
        """Number of orders in which a network that adapts saw the images; 1 for any other."""
        return int(self.configuration.get("adaptation", {}).get("orders", 1))

    @property
    def attack(self) -> str:
        """Name of the attack, without its arguments; `transfer` if its images were found on another model."""
        return "transfer" if "surrogate" in self.configuration else self.perturbation.partition("(")[0]

    @property
    def norm(self) -> str:
        """Norm of an attack's threat model: linf, l2, l1 or l0."""
        return str(self.configuration["threat"]["norm"])

    @property
    def eps(self) -> float:
        """Radius of an attack's threat model, infinity where it has none."""
        eps = self.configuration["threat"]["eps"]
        return math.inf if eps is None else float(eps)

    @property
    def radii(self) -> tuple[float, ...]:
        """Radii of a security curve; empty for other attacks."""
        eps = self.configuration.get("eps") if self.kind == "attack" else None
        return tuple(eps) if isinstance(eps, list | tuple) else ()

    @property
    def is_minimum_norm(self) -> bool:
        """Whether the attack searches for the closest adversarial image rather than inside one ball."""
        return self.kind == "attack" and (math.isinf(self.eps) or bool(self.radii))

    @property
    def smoothing(self) -> Mapping[str, Any] | None:
        """Fields of the smoothed classifier that was certified, or attacked in place of the network; else None."""
        return self.configuration.get("smoothing")

    @property
    def precision(self) -> str:
        """Precision of the network that the attack queried."""
        return str(self.configuration.get("precision", "float32"))

    @property
    def corruption(self) -> str:
        """Name of the corruption of a cell of that kind."""
        return str(self.configuration["corruption"])

    @property
    def severity(self) -> int:
        """Severity of the corruption, from 1 to 5."""
        return int(self.configuration["severity"])

    @property
    def sequence(self) -> str:
        """Name of the frame sequence of a cell of that kind, without its ending `_sequence`."""
        return str(self.configuration["sequence"]).removesuffix("_sequence")

    @property
    def constants(self) -> str | None:
        """Constants of a corruption or sequence: `imagenet` or `cifar10`; None for anything else."""
        return self.configuration.get("constants")

    @property
    def model_identity(self) -> tuple[str, str]:
        """Digest and preprocessing, which distinguish models of the same name."""
        return self.model_digest, self.preprocessing

    def identified(self) -> StoredCell:
        """Return the cell with its id: a hash of all its fields but those of `_NOT_IDENTITY`."""
        identity = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in _NOT_IDENTITY}
        text = json.dumps(identity | {"protocol": str(self.protocol)}, sort_keys=True, default=str)
        return replace(self, id=hashlib.blake2b(text.encode(), digest_size=10).hexdigest())

    def record(self) -> dict[str, Any]:
        """Return the cell as plain JSON types, without its id."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "id"}
        if not self.weights_from:
            del fields["weights_from"]
        plain: dict[str, Any] = json.loads(
            json.dumps(fields | {"protocol": self.protocol.changed_fields()}, default=str)
        )
        return plain

    @classmethod
    def from_record(cls, cell_id: str, record: Mapping[str, Any]) -> StoredCell:
        """Return the cell that `record` wrote, or the one that format 4 of the store recorded.

        Args:
            cell_id: The cell's id.
            record: Content of `cell.json`. In format 4 the protocol is a sentence, and `kind` and `uses` are missing.

        Raises:
            StoreError: A field is missing, has a value of another type, or is none of a cell or its protocol.
        """
        fields = dict(record)
        try:
            fields["protocol"] = Protocol.from_record(fields["protocol"])
            fields.setdefault("kind", kind_of_configuration(fields["configuration"]))
            fields.setdefault("uses", _uses(fields["perturbation"]) if fields["kind"] == "attack" else None)
            fields["flags"] = tuple(fields.get("flags", ()))
            _check_types(fields)
            return cls(id=cell_id, **fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"The record of cell {cell_id} does not fit this version: {type(error).__name__}: {error}.", REPAIR_HINT
            ) from error


def _check_types(fields: Mapping[str, Any]) -> None:
    """Raise TypeError if the value of a field is of another type, ValueError if it is none of its values."""
    for name, value in fields.items():
        if name in _TEXTS and not isinstance(value, str):
            raise TypeError(f"{name} is a text, got {value!r}")
    if not isinstance(fields["configuration"], dict) or not all(isinstance(flag, str) for flag in fields["flags"]):
        raise TypeError("configuration is an object, and flags are texts")
    samples, seed = fields["samples"], fields["seed"]
    if type(samples) is not int or samples < 0 or not (seed is None or type(seed) is int):
        raise TypeError(f"samples and seed are whole numbers, got {samples!r} and {seed!r}")
    if fields["kind"] not in get_args(PerturbationKind) or not isinstance(fields["uses"], str | None):
        raise ValueError(f"{fields['kind']!r} that uses {fields['uses']!r} is no kind of perturbation")


def kind_of_configuration(configuration: Mapping[str, Any]) -> PerturbationKind:
    """Return the kind of a cell of format 4, by the fields of its perturbation.

    Args:
        configuration: Every field of the perturbation.
    """
    kinds: Mapping[str, PerturbationKind] = {"threat": "attack", "corruption": "corruption", "sequence": "sequence"}
    return next((kind for field, kind in kinds.items() if field in configuration), "none")


def _uses(perturbation: str) -> AttackUses | None:
    """Return what an attack of format 4 uses, by the names of the package's attacks then; None for any other."""
    name = perturbation.partition("(")[0]
    return next((uses for uses, names in _USES_OF_FORMAT_4.items() if name in names), None)
