"""Pages of corruptions, frame sequences and stylisers, each with a photograph before and after it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any

import torch

from . import shipped
from .drawing import Tile, picture, sheet
from .markdown import code, fields, figure, heading, linked_summaries, page, plain, prose, shell, table
from .pictures import Drawn
from .shipped import CREDIT, OTHER_CREDIT, OTHER_PHOTOGRAPH, PHOTOGRAPH

SIDES = {"imagenet": 224, "cifar10": 32}
"""Side in pixels of the images that each set of constants is for."""
COLUMNS, SIDE = 3, 224
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Strengths at which a styliser is shown."""


def corruptions_index() -> str:
    """Return the page that lists corruptions by their sets, sequences, sets of perturbations, and stylisers."""
    from robustbench_eff.registry.corruptions import CORRUPTIONS
    from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
    from robustbench_eff.registry.sequences import SEQUENCES
    from robustbench_eff.registry.stylisers import STYLISERS

    lines = ["# Corruptions", "", "Each has a page with its constants and a picture."]
    lines += ["[Corruptions and sequences](../corruptions.md) explains how to use them."]
    for title, rows in _groups(CORRUPTIONS.own):
        lines += ["", f"## {title}", "", *table(("corruption", "what"), linked_summaries(rows, "corruptions"))]
    lines += ["", "## Sequences", "", *table(("sequence", "what"), linked_summaries(SEQUENCES.own, "sequences"))]
    lines += ["", "## Sets of perturbations", "", "One name stands for all members.", ""]
    lines += table(
        ("set", "members", "first member"),
        ((code(name), str(len(texts)), code(texts[0])) for name, texts in PERTURBATION_SETS.items()),
    )
    lines += ["", "## Stylisers", "", *table(("styliser", "what"), linked_summaries(STYLISERS.own, "stylisers"))]
    return page(lines)


def _groups(rows: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The corruptions by the set that they were published in; those of none come last."""
    from robustbench_eff.registry import perturbation_sets as sets

    left = dict(rows)
    for title, names in (
        ("ImageNet-C", sets.IMAGENET_C),
        ("Extra corruptions of ImageNet-C", sets.IMAGENET_C_EXTRA),
        ("ImageNet-C-bar", sets.IMAGENET_C_BAR),
        ("CIFAR-10-C-bar only", [name for name in sets.CIFAR10_C_BAR if name not in sets.IMAGENET_C_BAR]),
    ):
        yield title, {name: left.pop(name) for name in names}
    yield "Variants", left


def corruption_page(name: str, caption: str | None) -> str:
    """Return the page of a corruption.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.corruptions import CORRUPTIONS

    row = CORRUPTIONS.own[name]
    kernel = row.load()
    lines = heading(name, "Corruptions", row)
    if caption is None:
        lines += ["There is no picture: the published pictures of frost may not be redistributed, so this package does"]
        lines += ["not have them. [frost](frost.md) draws its own.", ""]
    else:
        lines += figure(f"{name}.jpg", caption)
    lines += shell(f'robust-eval --model MODEL --data mine=FOLDER --corruption "{_text(name, kernel.severities)}"')
    lines += [*prose(plain(_docstring(row.path))), "", "## Severities", ""]
    lines += table(("constants", *map(str, range(1, 6))), _constants(kernel.severities))
    lines += ["", "`imagenet` are the constants for 224 × 224 pixels, `cifar10` those for 32 × 32."]
    lines += ["The images " + ("depend on the seed." if kernel.at(1, next(iter(kernel.severities))).stochastic
                               else "do not depend on the seed.")] if caption is not None else []  # fmt: skip
    return page(lines)


def _text(name: str, severities: Mapping[str, Any]) -> str:
    return f"{name}(severity=3)" if "imagenet" in severities else f"{name}(severity=3, constants='cifar10')"


def _constants(levels: Mapping[str, Any]) -> Iterator[list[str]]:
    """A row for each set of constants, or for each named constant of a set: its name, and its value at every level."""
    for name, values in levels.items():
        for field in getattr(values[0], "_fields", ("",)):
            shown = [_written(getattr(value, field) if field else value) for value in values]
            yield [f"{code(name)} {field.replace('_', ' ')}".rstrip(), *shown]


def _written(value: Any) -> str:
    """A constant without the last digits of binary fractions."""
    if isinstance(value, tuple):
        return ", ".join(map(_written, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:.6g}"


def draw_corruption(name: str) -> Drawn | None:
    """Draw a photograph at severities 1 to 5, after the photograph itself.

    Args:
        name: Name of the corruption's row.
    """
    from robustbench_eff.core.errors import DataError
    from robustbench_eff.registry.corruptions import CORRUPTIONS

    kernel = uncompiled(CORRUPTIONS.own[name].load())
    constants = next(iter(kernel.severities))
    pixels = shipped.photograph(PHOTOGRAPH, SIDES[constants])[None]
    tiles = [Tile(picture(pixels[0]), "original")]
    try:
        for severity in range(1, 6):
            tiles.append(Tile(picture(kernel.at(severity, constants)(pixels)[0]), f"severity {severity}"))
    except DataError:
        return None
    size = f"{SIDES[constants]} × {SIDES[constants]} pixels"
    caption = f"{code(name)} at severities 1 to 5 with the constants {code(constants)}, on {size}; {CREDIT}."
    return Drawn(sheet(tiles, COLUMNS, SIDE), caption)


def uncompiled(kernel: Any) -> Any:
    """Return a corruption that gives the same bytes without compiling loops, which takes longer than a few images.

    Args:
        kernel: A row of the table of corruptions.
    """
    return dataclasses.replace(kernel, compiled=None)


def sequence_page(name: str, caption: str | None) -> str:
    """Return the page of a sequence.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.sequences import SEQUENCES

    row = SEQUENCES.own[name]
    kernel = row.load()
    lines = [*heading(name, "Corruptions", row), *figure(f"{name}.jpg", caption)]
    lines += shell(f"robust-eval --model MODEL --data mine=FOLDER --corruption {name}")
    lines += [*prose(plain(_docstring(row.path))), "", "## Difficulties", ""]
    frames = "; ".join(f"{count} for {code(name)}" for name, count in kernel.frames.items())
    lines += [f"Frames: {frames}.", ""]
    most = max(map(len, kernel.difficulties.values()))
    rows = [[*row, *[""] * (most + 1 - len(row))] for row in _constants(kernel.difficulties)]
    lines += table(("constants", *(f"difficulty {number}" for number in range(1, most + 1))), rows)
    compared = "the first frame, because every frame is a draw of its own" if kernel.noise else "the frame before"
    lines += ["", f"Each frame is compared with {compared}. [Scores](../../scores.md) explains the flip probability."]
    return page(lines)


def draw_sequence(name: str) -> Drawn:
    """Draw six frames of a sequence, from the first to the last.

    Args:
        name: Name of the sequence's row.
    """
    from robustbench_eff.registry.sequences import SEQUENCES

    pixels = picture_tensor(PHOTOGRAPH)
    frames = SEQUENCES.own[name].load().at()(pixels, SIDE)
    shown = torch.linspace(0, len(frames) - 1, 6).round().int().tolist()
    tiles = [Tile(picture(frames[number]), f"frame {number + 1}") for number in shown]
    return Drawn(sheet(tiles, COLUMNS, SIDE), f"6 of the {len(frames)} frames of {code(name)}; {CREDIT}.")


def picture_tensor(name: str) -> torch.Tensor:
    """Return a photograph at 256 pixels along its short side, uint8 (H, W, 3), as ImageNet-P films it.

    Args:
        name: File name.
    """
    import numpy as np

    whole = shipped.whole_photograph(name)
    scale = 256 / min(whole.size)
    return torch.from_numpy(np.array(whole.resize((round(whole.width * scale), round(whole.height * scale)))))


def styliser_page(name: str, caption: str | None) -> str:
    """Return the page of a styliser.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.stylisers import STYLISERS

    kind = STYLISERS.own[name].load()
    lines = heading(name, "Corruptions", STYLISERS.own[name])
    if caption is None:
        lines += ["There is no picture: the networks have to be downloaded first.", ""]
    else:
        lines += figure(f"{name}.jpg", caption)
    lines += shell(f"robust-eval conflict --data mine=FOLDER --styliser {name} --out mine-conflict")
    return page([*lines, *prose(plain(inspect.cleandoc(kind.__doc__ or ""))), "", "## Fields", "", *fields(kind)])


def draw_styliser(name: str) -> Drawn | None:
    """Draw a photograph in the style of another at rising strength.

    Args:
        name: Name of the styliser's row.
    """
    from robustbench_eff.registry.stylisers import STYLISERS, WITHOUT_WEIGHTS

    if name not in WITHOUT_WEIGHTS:
        return None
    styliser = STYLISERS.own[name].load()()
    content, style = (
        shipped.photograph(file, SIDE).permute(2, 0, 1)[None].float() / 255 for file in (PHOTOGRAPH, OTHER_PHOTOGRAPH)
    )
    tiles = [Tile(picture(content[0]), "content"), Tile(picture(style[0]), "style")]
    tiles += [Tile(picture(styliser(content, style, share)[0]), f"strength {share:g}") for share in STRENGTHS]
    caption = f"A photograph in the style of another by {code(name)}; content: {CREDIT}; style: {OTHER_CREDIT}."
    return Drawn(sheet(tiles, COLUMNS, SIDE), caption)


def _docstring(path: str) -> str:
    """The docstring of the module of a component, and the text below the component itself."""
    module, _, attribute = path.partition(":")
    loaded = import_module(module)
    body = ast.parse(inspect.getsource(loaded)).body
    notes = [
        ast.literal_eval(note.value)
        for node, note in pairwise(body)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == attribute
        and isinstance(note, ast.Expr)
        and isinstance(note.value, ast.Constant)
    ]
    return "\n\n".join([inspect.cleandoc(loaded.__doc__ or ""), *map(inspect.cleandoc, notes)])
