"""Pages of attacks: what each is, its fields, and digits before and after it."""

from __future__ import annotations

import inspect

import torch

from .drawing import Tile, picture, sheet
from .markdown import code, fields, figure, heading, linked_summaries, page, plain, prose, shell, table
from .pictures import Drawn
from .shipped import NETWORK, Digits, digits, network

RADIUS = "eps=16/255"
TEXTS = {
    "carlini_wagner": "carlini_wagner(iterations=50)",
    "fmn": "fmn(norm=l2)",
    "one_pixel": "one_pixel(pixels=5, population=100)",
    "security_curve": "security_curve",
    "square": "square(eps=32/255, queries=500)",
}
"""Texts of the pictures' attacks; any other is run at `RADIUS` and else with its defaults."""
WEAK = frozenset({"one_pixel"})
"""Attacks that are shown on the digits of which the network is least sure, because they fail on most others."""
COUNT = 4
"""Number of digits in a picture."""
LARGEST = 16
"""Largest amplification of a difference."""


def attacks_index() -> str:
    """Return the page that lists all attacks, the certificate, and the adapters to other libraries."""
    from robustbench_eff.models.smoothing import Smoothing
    from robustbench_eff.registry.attacks import ADAPTERS, ATTACKS

    lines = ["# Attacks", "", "Each has a page with its fields and a picture. [Attacks](../attacks.md) explains how to"]
    lines += ["use them.", "", *table(("attack", "what"), linked_summaries(ATTACKS.own, "attacks"))]
    lines += ["", "## smoothing", "", "Not an attack but a certificate: [Certified accuracy](../certified.md).", ""]
    lines += fields(Smoothing)
    lines += ["", "## Attacks of other libraries", ""]
    lines += table(("name", "what"), ((f"`{prefix}:NAME`", row.summary) for prefix, row in ADAPTERS.items()))
    return page(lines)


def attack_page(name: str, caption: str | None) -> str:
    """Return the page of an attack.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.attacks import ATTACKS

    kind = ATTACKS.own[name].load()
    lines = heading(name, "Attacks", ATTACKS.own[name])
    lines += figure(f"{name}.png", caption)
    lines += shell(f'robust-eval --model {NETWORK} --benchmark digits --attack "{text(name)}"')
    lines += [*prose(plain(inspect.cleandoc(kind.__doc__ or ""))), "", "## Fields", "", *fields(kind), ""]
    uses = "gradients" if kind.uses == "gradients" else f"the {kind.uses} of the network"
    lines += [f"The attack uses {uses}, and takes at most {kind().max_passes:,} forward and backward passes per image"]
    lines += ["with its defaults."]
    return page(lines)


def text(name: str) -> str:
    """Return the spec text of the attack in a picture.

    Args:
        name: Name of its row.
    """
    return TEXTS.get(name, f"{name}({RADIUS})")


def draw_attack(name: str) -> Drawn:
    """Attack some digits and draw them, the perturbed images, and the amplified differences.

    Args:
        name: Name of the attack's row.
    """
    from robustbench_eff.registry.perturbation import parse_attack

    clean, labels = least_sure() if name in WEAK else digits("test", COUNT)
    adversarial = parse_attack(text(name))(network(), clean, labels)
    difference = adversarial - clean
    factor = max(1, min(LARGEST, int(0.5 / float(difference.abs().max().clamp_min(1e-6)))))
    grey = 0.5 + factor * difference
    tiles = [Tile(picture(image), answer) for image, answer in zip(clean, answers(clean), strict=True)]
    tiles += [Tile(picture(image), answer) for image, answer in zip(adversarial, answers(adversarial), strict=True)]
    tiles += [Tile(picture(image), f"× {factor}") for image in grey]
    wrong = int((network()(adversarial).argmax(1) != labels).sum())
    assert wrong, f"{text(name)} fools the network with none of the digits: the picture would be empty"
    which = "The digits of the test set of which the network is least sure" if name in WEAK else "Digits"
    caption = (
        f"{which}, with what {code(NETWORK)} says of them and how surely; the same after {code(text(name))}; and the "
        f"difference{f' times {factor}' if factor > 1 else ''}, on grey. {wrong} of {COUNT} are misclassified."
    )
    return Drawn(sheet(tiles, COUNT, 160), caption)


@torch.no_grad()
def least_sure() -> Digits:
    """Return the digits of the test set that the network classifies correctly with the lowest probabilities."""
    images, labels = digits("test", 360, distinct=False)
    probabilities = network()(images).softmax(1)
    of_label = probabilities.gather(1, labels[:, None])[:, 0]
    order = of_label.masked_fill(probabilities.argmax(1) != labels, 2).argsort()[:COUNT]
    return Digits(images[order], labels[order])


@torch.no_grad()
def answers(images: torch.Tensor) -> list[str]:
    """Return the predicted class of each image with its probability.

    Args:
        images: float32 in [0, 1].
    """
    confidence, predicted = network()(images).softmax(1).max(1)
    return [
        f"{label} ({share * 100:.0f} %)" for label, share in zip(predicted.tolist(), confidence.tolist(), strict=True)
    ]
