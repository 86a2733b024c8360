"""Peers of our attacks: other libraries, scipy, and minimal loops with the same result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from robustbench_eff.attacks.window_queries import WindowQueries

Run = Callable[[], Tensor]


def foolbox_pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, norm: str) -> Run:
    """Return Foolbox's PGD without a random start and with step 2.5 eps / steps; one step of length eps is its FGSM."""
    step = eps if steps == 1 else 2.5 * eps / steps

    def run() -> Tensor:
        import foolbox

        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
        kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
        adversarial: Tensor = kind(steps=steps, abs_stepsize=step, random_start=False)(
            wrapped, images, labels, epsilons=eps
        )[1]
        return adversarial

    return run


def torchattacks_pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, norm: str) -> Run:
    """Return torchattacks' PGD without a random start and with the same step."""
    step = eps if steps == 1 else 2.5 * eps / steps

    def run() -> Tensor:
        import torchattacks

        kind = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}[norm]
        adversarial: Tensor = kind(model, eps=eps, alpha=step, steps=steps, random_start=False)(images, labels)
        return adversarial

    return run


def bare_pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, batch_size: int) -> Run:
    """Return a minimal L-infinity PGD: frozen parameters, misclassified samples dropped, nothing checked."""
    frozen = model.requires_grad_(False)
    step = 2.5 * eps / steps

    def run() -> Tensor:
        adversarial, rows = images.clone(), torch.arange(len(images), device=images.device)
        current = images
        for _ in range(steps):
            gradients, right = [], []
            for part, wanted in zip(current.split(batch_size), labels[rows].split(batch_size), strict=True):
                pixels = part.detach().requires_grad_(True)
                logits = frozen(pixels)
                loss = functional.cross_entropy(logits, wanted, reduction="sum")
                gradients.append(torch.autograd.grad(loss, pixels)[0])
                right.append(logits.argmax(1) == wanted)
            keep = torch.cat(right)
            adversarial[rows[~keep]] = current[~keep]
            rows, current = rows[keep], current[keep]
            if not len(rows):
                break
            moved = current + step * torch.cat(gradients)[keep].sign()
            current = torch.clamp(moved, images[rows] - eps, images[rows] + eps).clamp(0, 1)
        adversarial[rows] = current
        return adversarial

    return run


def pyautoattack(model: nn.Module, images: Tensor, labels: Tensor, eps: float, norm: str, parts: list[str]) -> Run:
    """Return the authors' AutoAttack: `standard`, or single attacks by their names there."""
    from pyautoattack import AutoAttack

    def run() -> Tensor:
        ensemble = AutoAttack(
            model,
            norm={"linf": "Linf", "l2": "L2", "l1": "L1"}[norm],
            eps=eps,
            seed=0,
            device=images.device,
            version="standard" if parts == ["standard"] else "custom",
            attacks=None if parts == ["standard"] else parts,
        )
        if parts != ["standard"]:  # the settings of `standard`
            ensemble.apgd.n_restarts = 5 if norm == "l1" else 1
            ensemble.apgd.use_largereps = ensemble.apgd_targeted.use_largereps = norm == "l1"
            ensemble.apgd_targeted.n_target_classes = 5 if norm == "l1" else 9
            ensemble.fab.n_target_classes = 9
        adversarial: Tensor = ensemble.run_standard_evaluation(images, labels, batch_size=len(images))[0]
        return adversarial

    return run


def bare_forwards(model: nn.Module, images: Tensor, live: list[int], batch_size: int) -> Run:
    """Return a run of forward passes only, each on the first `live[i]` images."""

    def run() -> Tensor:
        with torch.no_grad():
            for count in live:
                for part in images[:count].split(batch_size):
                    model(part)
        return images

    return run


def bare_passes(model: nn.Module, images: Tensor, count: int, batch_size: int) -> Run:
    """Return a run of forward passes only, of `count` images altogether."""
    batch = images[:1].repeat(batch_size, 1, 1, 1)

    def run() -> Tensor:
        with torch.no_grad():
            for start in range(0, count, batch_size):
                model(batch[: count - start])
        return images

    return run


def queried_whole(attack: Run) -> Run:
    """Return a run of our attack that queries every image whole."""

    def run() -> Tensor:
        with patch.object(WindowQueries, "of", return_value=None):
            return attack()

    return run


def scipy_one_pixel(model: nn.Module, images: Tensor, labels: Tensor, generations: int) -> Run:
    """Return scipy's differential evolution with the settings of Su et al., vectorised over the population."""
    from scipy.optimize import differential_evolution

    class Success(Exception):
        """Stops a search at its first success."""

    def search(number: int) -> Tensor:
        image, label = images[number : number + 1], int(labels[number])
        _, channels, height, width = image.shape
        generator = np.random.default_rng(number)
        places = generator.uniform(0, [height, width], (400, 2))
        colours = np.clip(generator.normal(128, 127, (400, channels)), 0, 255)
        best = [image]

        def probability(genes: Any) -> Any:
            members = genes.T
            painted = image.repeat(len(members), 1, 1, 1)
            row = np.minimum(members[:, 0].astype(int), height - 1)
            column = np.minimum(members[:, 1].astype(int), width - 1)
            painted[np.arange(len(members)), :, row, column] = torch.from_numpy(members[:, 2:].round() / 255).float()
            with torch.no_grad():
                logits = model(painted)
            wrong = (logits.argmax(1) != label).nonzero()[:, 0]
            if len(wrong):
                best[0] = painted[wrong[:1]]
                raise Success
            return logits.softmax(1)[:, label].double().numpy()

        bounds = [(0, height), (0, width)] + [(0, 255)] * channels
        options = {"strategy": "rand1bin", "mutation": 0.5, "recombination": 1, "polish": False, "tol": 0, "atol": 0}
        try:
            differential_evolution(
                probability,
                bounds,
                maxiter=generations,
                init=np.concatenate([places, colours], 1),
                updating="deferred",
                vectorized=True,
                seed=number,
                **options,
            )
        except (Success, RuntimeError) as error:  # scipy wraps the error of the function
            if not isinstance(error, Success) and not isinstance(error.__context__, Success):
                raise
        return best[0]

    return lambda: torch.cat([search(number) for number in range(len(images))])


def art_one_pixel(model: nn.Module, images: Tensor, labels: Tensor, generations: int) -> Run:
    """Return ART's PixelAttack with differential evolution; ART fixes the population at 400."""
    from art.attacks.evasion import PixelAttack
    from art.estimators.classification import PyTorchClassifier

    classes = int(model(images[:1]).shape[1])
    wrapped = PyTorchClassifier(
        model, loss=nn.CrossEntropyLoss(), input_shape=tuple(images.shape[1:]), nb_classes=classes, clip_values=(0, 1)
    )
    attack = PixelAttack(wrapped, th=1, es=1, max_iter=generations, verbose=False)
    return lambda: torch.from_numpy(attack.generate(images.numpy(), labels.numpy())).float()
