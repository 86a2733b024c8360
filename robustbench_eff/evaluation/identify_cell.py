"""The stored cell of an evaluation: everything that can change an outcome, and the flags of its model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from robustbench_eff.benchmarks.image_set import ImageSet
from robustbench_eff.core.object_digest import foreign_digest
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.build_adaptation import NamedAdaptation
from robustbench_eff.registry.perturbation import Perturbation
from robustbench_eff.storage.stored_cell import StoredCell

from .plan import Queried


def cell_of(
    queried: Queried,
    images: ImageSet,
    perturbation: Perturbation,
    seed: int,
    run_id: str = "",
    adaptation: NamedAdaptation | None = None,
) -> StoredCell:
    """Return the cell of a classifier on a set of images under a perturbation.

    Args:
        queried: The classifier, and the network that an attack queries.
        images: The benchmark, decoded for the classifier.
        perturbation: What changes the images; a published set says so in its component's configuration.
        seed: Seed of the random draws, recorded only where something is drawn.
        run_id: Name of the run, part of the digest of a model that cannot be hashed completely, so that no other run
            takes its numbers.
        adaptation: How the classifier adapts to the images; None if it does not.
    """
    component = perturbation.component
    is_drawn = (component is not None and component.stochastic) or bool(queried.votes or queried.draws)
    protocol, configuration = images.protocol, _configuration(queried, perturbation, run_id)
    if adaptation is not None:
        is_drawn |= adaptation.stream.is_drawn
        protocol = dataclasses.replace(protocol, stream=adaptation.protocol)
        configuration["adaptation"] = adaptation.configuration
    classifier = queried.classifier
    return StoredCell(
        model=classifier.name,
        model_source=classifier.provenance.source,
        weights_from=classifier.provenance.weights_from,
        model_digest=_digest(classifier, run_id),
        preprocessing=str(classifier.preprocessing),
        benchmark=images.benchmark,
        protocol=protocol,
        data=images.fingerprint,
        classes=queried.classes,
        samples=len(images),
        perturbation=perturbation.text,
        kind=perturbation.kind,
        uses=perturbation.attack.uses if perturbation.kind == "attack" else None,
        configuration=configuration,
        seed=seed if is_drawn or perturbation.smoothing else None,
        flags=(
            *classifier.provenance.flags,
            *images.flags,
            *_surrogate_flags(queried.surrogate),
            *_unidentified(classifier),
            *_random_outputs(queried, perturbation),
        ),
    ).identified()


def _surrogate_flags(surrogate: Classifier | None) -> tuple[str, ...]:
    return () if surrogate is None else tuple(f"{surrogate.name}: {flag}" for flag in surrogate.provenance.flags)


def _digest(classifier: Classifier, run_id: str) -> str:
    return f"{classifier.digest}@{run_id}" if classifier.opaque else classifier.digest


def _unidentified(classifier: Classifier) -> tuple[str, ...]:
    """A flag for a model that cannot be hashed completely."""
    if not classifier.opaque:
        return ()
    more = f" and {len(classifier.opaque) - 1} more" if len(classifier.opaque) > 1 else ""
    return (f"not identified, so never reused: {classifier.opaque[0]}{more} cannot be hashed",)


def _random_outputs(queried: Queried, perturbation: Perturbation) -> Iterator[str]:
    """Yield the flag of a classifier that draws at random."""
    if perturbation.kind == "sequence" and queried.classifier.draws:
        yield "draws at random: one draw per frame"
        return
    asked = [] if queried.votes is None else [f"{queried.votes} votes per image"]
    if queried.draws is not None and not perturbation.is_adapted:
        own, query = (
            getattr(perturbation.attack, "eot", 1),
            "gradient" if "grad" in perturbation.attack.uses else "query",
        )
        asked.insert(0, f"{own if own > 1 else queried.draws} draws per {query}")
    if asked:
        yield f"draws at random: {', '.join(asked)}"


def _precision(queried: Queried, attack: Any) -> str | None:
    """How exactly the attacked network answers, where that decides which images come out; None for float32."""
    precision, *compiled = queried.precision.split(", ")
    if precision == "bfloat16":  # its gradients alone, and those of some attacks only
        precision = "float32 with bfloat16 gradients" if getattr(attack, "rough_gradients", False) else "float32"
    described = ", ".join([precision, *compiled])
    return None if described == "float32" else described


def _configuration(queried: Queried, perturbation: Perturbation, run_id: str) -> dict[str, Any]:
    """Everything that decides which images come out, the seed aside."""
    votes = {} if queried.votes is None else {"votes_per_image": queried.votes}
    if perturbation.kind == "none":
        return votes
    smoothing = {} if perturbation.smoothing is None else dict(perturbation.smoothing.configuration)
    if perturbation.kind == "certificate":
        return smoothing
    if perturbation.kind != "attack":
        component = perturbation.corruption if perturbation.kind == "corruption" else perturbation.sequence
        code = foreign_digest(getattr(component, "kernel", component))
        return {**component.configuration, **({"code": code} if code else {}), **votes}
    attack = perturbation.attack
    eps = attack.threat.eps if math.isfinite(attack.threat.eps) else None
    optional = {
        "precision": _precision(queried, attack),
        "surrogate": None if queried.surrogate is None else _digest(queried.surrogate, run_id),
        "code": foreign_digest(attack) or None,
        "draws_per_gradient": None if perturbation.is_adapted else queried.draws,
        **votes,
    }
    return {
        **{item.name: getattr(attack, item.name) for item in dataclasses.fields(attack)},  # type: ignore[arg-type]
        "version": attack.version,
        "threat": {"norm": attack.threat.norm, "eps": eps},
        **{name: value for name, value in optional.items() if value is not None},
        **({} if perturbation.smoothing is None else smoothing | {"draws": perturbation.smoothing.draws}),
    }
