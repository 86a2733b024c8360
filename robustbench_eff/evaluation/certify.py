"""`certify`: one call takes a network to certified accuracies of its smoothed classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from robustbench_eff.core import spec
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.types import Attack
from robustbench_eff.models.smoothing import Smoothing
from robustbench_eff.registry.load_classifier import ModelLike
from robustbench_eff.registry.perturbation import ON, SMOOTHING, as_perturbation

from .evaluate import Listener, evaluate
from .result import Result
from .settings import EvaluateOptions


def certify(
    *models: ModelLike,
    sigma: float,
    n: int = 100_000,
    n0: int = 100,
    alpha: float = 0.001,
    draws: int = 32,
    listener: Listener | None = None,
    **options: Unpack[EvaluateOptions],
) -> Result:
    """Certify L2 radii by randomised smoothing; what the store holds already is not computed again.

    The scores are those of `evaluate` with the perturbation `smoothing(...)`: certified accuracy at radii, mean radius,
    abstentions, and for comparison the network's own clean accuracy.

    Args:
        models: Names of models, modules in eval mode, or what `load_classifier` returned.
        sigma: Standard deviation of the noise, in units of [0, 1] pixels.
        n: Number of draws that bound the probability of the predicted class.
        n0: Number of draws that select it.
        alpha: Probability with which a certificate may be wrong.
        draws: Number of draws over which each query of an attack averages.
        listener: Hears about the progress of the run.
        options: Fields of `Settings`, such as `radii`; the `attacks`, such as `pgd(eps=0.5, norm=l2)`, attack the
            smoothed classifier.

    Raises:
        SpecError: A value is out of range, or an attack cannot be read or run on a smoothed classifier.
        UsageError: An option has a wrong value.
        MissingInputs: Weights, images or extras are missing.
        DataError: An image or label cannot be read.
        ModelError: A model cannot be loaded, is in train mode, or does not return logits.
        EvaluationError: The model returned NaN, or an attack contradicts the certificates beyond chance.
        StoreError: The store cannot be written.
    """
    smoothing = Smoothing(sigma=sigma, n=n, n0=n0, alpha=alpha, draws=draws)
    if "suite" in options or "corruptions" in options:
        raise UsageError("certify takes neither a suite nor corruptions.", "Evaluate those with `evaluate`.")
    options["attacks"] = smoothing_texts(smoothing, options.get("attacks", ()))
    return evaluate(*models, listener=listener, **options)


def smoothing_texts(smoothing: Smoothing, attacks: Sequence[str | Attack]) -> list[str]:
    """Return the texts of the perturbations: the certificate, and the attacks on the smoothed classifier.

    Args:
        smoothing: The smoothed classifier.
        attacks: Attacks as texts or objects.

    Raises:
        SpecError: An attack cannot be read, or cannot be run on a smoothed classifier.
    """
    written = spec.text_of(SMOOTHING, smoothing)
    texts = [as_perturbation(written).text]
    return texts + [as_perturbation(f"{as_perturbation(attack).text}{ON}{written}").text for attack in attacks]
