"""Pages of training recipes: what each is, its fields, and what one update of it shows to the network."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch

from .attacks import LARGEST
from .drawing import Tile, picture, sheet
from .markdown import code, fields, figure, heading, linked_summaries, page, plain, prose, shell, table
from .pictures import Drawn
from .shipped import NETWORK, digits, network

COUNT, SHOWN = 20, 4
"""Number of digits in a batch, of which FastAdvProp attacks a fifth, and in a picture."""
STEP = 6
"""Number of the update, whose draws make MixUp visible."""
SMALL = 0.25
"""Differences between images below this are amplified and shown, too; larger ones can be seen."""


def defenses_index() -> str:
    """Return the page that lists all training recipes, and the schedule."""
    from robustbench_eff.defenses import Schedule
    from robustbench_eff.registry.defenses import DEFENSES

    lines = ["# Defenses", "", "Each recipe has a page with its fields and a picture of what it trains on."]
    lines += ["[Training](../training.md) explains how to use them.", ""]
    lines += table(("defense", "what"), linked_summaries(DEFENSES.own, "defenses"))
    lines += ["", "## The schedule", "", "The same for every recipe: `--schedule 'epochs=20, mirror=true'`.", ""]
    return page([*lines, *fields(Schedule)])


def defense_page(name: str, caption: str | None) -> str:
    """Return the page of a training recipe.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.defenses import DEFENSES

    kind = DEFENSES.own[name].load()
    recipe = kind()
    lines = [*heading(name, "Defenses", DEFENSES.own[name]), *figure(f"{name}.png", caption)]
    lines += shell(f"robust-eval train --benchmark digits --defense {name} --out runs/{name}")
    lines += [*prose(plain(inspect.cleandoc(kind.__doc__ or ""))), "", "## Cost", ""]
    lines += [
        f"{recipe.passes:g} forward and backward passes per training image and epoch; plain training takes 2.",
        "",
    ]
    return page([*lines, "## Fields", "", *fields(kind)])


def draw_defense(name: str) -> Drawn:
    """Draw what the network receives in train mode during one update of a recipe.

    Args:
        name: Name of the recipe's row.
    """
    original, batch, received = _update(name)
    rows = {"image": original, "shifted": batch.images}
    shown = [_in_order(images, batch.images) for images in received]
    different = [images for images in shown if float((images - batch.images[:SHOWN]).abs().max()) > 1e-6]
    for number, images in enumerate(different, 1):
        rows["input" if len(different) == 1 else f"input {number}"] = images
    tiles = [
        Tile(picture(image), f"class {label}" if text == "image" else text)
        for text, images in rows.items()
        for image, label in zip(images[:SHOWN], batch.labels, strict=False)
    ]
    caption = f"One update of {code(name)} on the network {code(NETWORK)}: digits, then after the random shift of the "
    caption += "schedule" + ("" if different else ", as the network gets them: only the loss differs, or the network")
    if different:
        caption += f", then what the network gets{' besides, in order' if len(different) > 1 else ''}"
        difference = different[-1] - batch.images[:SHOWN]
        if (largest := float(difference.abs().max())) < SMALL:
            factor = max(1, min(LARGEST, int(0.5 / largest)))
            tiles += [Tile(picture(0.5 + factor * image), f"× {factor}") for image in difference]
            caption += f", and how the last differs from the shifted digits, times {factor} on grey"
    return Drawn(sheet(tiles, SHOWN, 160), f"{caption}.")


def _in_order(received: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """What the network gets for the first images; of a part of the batch in any order, what is closest to each."""
    if len(received) == len(images):
        return received[:SHOWN]
    closest = torch.cdist(images[:SHOWN].flatten(1), received.flatten(1)).argmin(1)
    return received[closest] if len(received) == SHOWN else images[:SHOWN]


def _update(name: str) -> tuple[torch.Tensor, Any, list[torch.Tensor]]:
    """Digits, the batch that is made of them, and all images that the network gets in train mode in one update."""
    from robustbench_eff.core import rng
    from robustbench_eff.defenses import Schedule, augment
    from robustbench_eff.defenses.network import Dependencies, Network
    from robustbench_eff.defenses.training_batch import Batch, smoothed
    from robustbench_eff.registry.build_styliser import styliser
    from robustbench_eff.registry.defenses import DEFENSES

    class Recording(Network):
        received: list[torch.Tensor] = []  # noqa: RUF012

        def __call__(self, images: torch.Tensor, **options: Any) -> torch.Tensor:
            if self.module.training:
                self.received += [part.detach().clone() for part in images.split(COUNT)]
            return super().__call__(images, **options)

    images, labels = digits("train", COUNT, distinct=False)
    recipe, schedule, classifier = DEFENSES.own[name].load()(), Schedule(), network()
    preprocessing, needs = classifier.preprocessing, recipe.requirements
    recorded = Recording(
        recipe.prepare(copy.deepcopy(classifier.model)).train(),
        preprocessing.mean,
        preprocessing.std,
        dependencies=Dependencies(
            styliser=None if needs.styliser is None else styliser(needs.styliser), teacher=classifier
        ),
    )
    for parameter in recorded.module.parameters():
        parameter.requires_grad_()
    batch = Batch(
        images=augment.shifted(images, schedule.max_shift, rng.generator(0, "augment", STEP)),
        labels=labels,
        targets=smoothed(labels, 10, schedule.label_smoothing),
        seed=0,
        step=STEP,
        local_slice=slice(0, COUNT),
        total=COUNT,
    )
    with rng.global_generators(0, "epoch/0/0", torch.device("cpu")):
        for loss in recipe.losses(recorded, batch):
            loss.backward()
    return images, batch, recorded.received
