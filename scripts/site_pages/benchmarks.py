"""Pages of benchmarks: what each holds, how to get it, and a picture where its images are made from shipped ones."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import torch

from . import shipped
from .corruptions import SIDES, picture_tensor, uncompiled
from .drawing import Tile, picture, sheet
from .markdown import code, figure, heading, linked_summaries, number, page, plain, prose, sentence, shell, table
from .pictures import Drawn
from .shipped import CREDIT, PHOTOGRAPH, digits

GROUPS = {
    "digits": "Digits, which are installed",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet": "ImageNet",
    "imagenet_subsets": "ImageNet's other images: ImageNet-A and ImageNet-R",
    "objectnet": "ObjectNet",
    "cue_conflict": "Cue conflict",
    "tiny_imagenet": "Tiny-ImageNet",
    "medmnist": "MedMNIST",
}
"""Titles of the groups, by the module in which their benchmarks are defined."""
GENERATED = "-generated"
"""End of the names of benchmarks whose images are corrupted here."""
MOST_CLASSES = 20
"""Classes of a benchmark with at most so many are listed."""


def benchmarks_index() -> str:
    """Return the page that lists all benchmarks, in groups."""
    from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH

    lines = ["# Benchmarks", "", "Each has a page with its size, licence and address."]
    lines += ["`robust-eval list benchmarks` says which of them this machine has."]
    for module, title in GROUPS.items():
        rows = {name: row for name, row in BENCHMARKS.own.items() if _module(row) == module}
        lines += ["", f"## {title}", "", *table(("benchmark", "what"), linked_summaries(rows, "benchmarks"))]
    lines += ["", "## Other labels", "", "Scored together with another benchmark, not run on its own:", ""]
    lines += [f"- {code(name)}, with [{code(base)}](benchmarks/{base}.md)" for name, base in SCORED_WITH.items()]
    return page(lines)


def _module(row: Any) -> str:
    module: str = row.path.partition(":")[0].rpartition(".")[2]
    return module


def benchmark_page(name: str, caption: str | None) -> str:
    """Return the page of a benchmark.

    Args:
        name: Name of its row.
        caption: What its picture shows; None without a picture.
    """
    from robustbench_eff.registry.benchmarks import BENCHMARKS

    row = BENCHMARKS.own[name]
    item = row.load()
    lines = heading(name, "Benchmarks", row)
    if caption is not None:
        lines += figure(f"{name}.jpg", caption)
    model = "digits_standard" if item.label_space == "digits" else "MODEL"
    source = _source(item)
    data = "" if item.label_space == "digits" else f" --data {source}={source.upper()}"
    lines += shell(f"robust-eval --model {model} --benchmark {name}{data}")
    lines += [f"- **{title}:** {text}" for title, text in _facts(item) if text]
    if item.layout is not None:
        lines += ["", "## Files", "", *(f"- {layout.files}" for layout in item.layout.layouts)]
    lines += _members(name, item)
    lines += ["", "## Definition", "", *prose(plain(inspect.cleandoc(_documentation(row))))]
    if caption is None:
        lines += ["", "There is no picture, because this package does not contain the images."]
    return page(lines)


def _source(item: Any) -> str:
    """The name whose images a user provides."""
    name: str = item.name if item.made_from is None else item.made_from
    return name


def _facts(item: Any) -> Iterator[tuple[str, str]]:
    """What defines a benchmark, as titles and texts; a text is empty where there is nothing to say."""
    from robustbench_eff.benchmarks import locations
    from robustbench_eff.registry import build_benchmark
    from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH

    same = build_benchmark.other_protocols(item)
    derived = [name for name, row in BENCHMARKS.own.items() if row.load().source_benchmark == item.name]
    yield "Images", sentence(plain(item.title))
    yield "Size", sentence(item.size)
    yield "Licence", sentence(item.licence)
    yield "Where to get them", re.sub(r"(https://[^\s;,)]+)", r"<\1>", item.download_url)
    source = _source(item)
    if item.label_space != "digits":
        fetch = f" With `--data {source}=FOLDER --download` it is downloaded." if item.files else ""
        yield (
            "How to pass them",
            f"`--data {source}=PATH`, or the variable `{locations.variable(source)}`; PATH is in one of the layouts "
            f"{'below' if item.layout is not None else 'of [Data](../../data.md)'}.{fetch}",
        )
    yield "Classes", _classes(item)
    yield "Split", sentence(code(item.split))
    yield "Geometry", sentence("the model's own" if item.geometry is None else str(item.geometry))
    radii = "; ".join(f"{norm} {number(radius)}" for norm, radius in item.usual_radii.items())
    yield "Usual radius", f"{radii}. An attack whose text states no `eps` gets it." if radii else ""
    made_from = item.source_benchmark if item.source_benchmark not in (None, *same) else None
    yield "Made from", f"the images of {_links([made_from])}." if made_from else ""
    yield "Styliser", sentence(code(item.stylise_with)) if item.stylise_with else ""
    yield "Saved as", f"JPEG of quality {item.jpeg_quality}, where corrupted." if item.jpeg_quality else ""
    yield "Same images, other protocol", f"{_links(same)}." if same else ""
    yield (
        "Made from these",
        f"{_links([name for name in derived if name not in same])}." if set(derived) - {*same} else "",
    )
    yield "Scored with it", ", ".join(code(name) for name, base in SCORED_WITH.items() if base == item.name)


def _classes(item: Any) -> str:
    if item.class_map is not None:
        return sentence(str(item.class_map()))
    names = sorted(item.class_index(), key=item.class_index().get)
    listed = f": {', '.join(names)}" if 0 < len(names) <= MOST_CLASSES else ", the outputs of the model"
    return f"{item.num_classes}{listed}."


def _links(names: Sequence[str]) -> str:
    return ", ".join(f"[{code(name)}]({name}.md)" for name in names)


def _members(name: str, item: Any) -> list[str]:
    """The corruptions or sequences of a corrupted benchmark, with links to their pages."""
    members = _perturbations(name)
    if not members:
        return []
    folders = _folders()
    linked = [f"[{code(one)}](../{folders[one]}/{one}.md)" if one in folders else code(one) for one in members]
    made = "made here" if item.layout is None else "read from its files"
    return ["", "## Perturbations", "", f"{len(members)}, {made}: {', '.join(linked)}."]


def _folders() -> dict[str, str]:
    from robustbench_eff.registry.corruptions import CORRUPTIONS
    from robustbench_eff.registry.sequences import SEQUENCES

    return dict.fromkeys(CORRUPTIONS.own, "corruptions") | dict.fromkeys(SEQUENCES.own, "sequences")


def _perturbations(name: str) -> list[str]:
    """The names of the perturbations of a corrupted benchmark; none for any other."""
    from robustbench_eff.core import spec
    from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS

    known = name.removesuffix(GENERATED).replace("-", "_").replace("cifar100", "cifar10")
    return list(dict.fromkeys(spec.parse(text).name for text in PERTURBATION_SETS.get(known, ())))


def _documentation(row: Any) -> str:
    return import_module(row.path.partition(":")[0]).__doc__ or ""


def draw_benchmark(name: str) -> Drawn | None:
    """Draw what a benchmark looks like, if its images are made from what this package has.

    Args:
        name: Name of the benchmark's row.
    """
    from robustbench_eff.registry.benchmarks import BENCHMARKS

    item = BENCHMARKS.own[name].load()
    if item.stylise_with is not None:
        return _conflicts(item)
    if name.endswith(GENERATED):
        return _corrupted(item)
    if item.open_bundled is not None:
        images, labels = digits("test", 10)
        tiles = [Tile(picture(image), f"class {label}") for image, label in zip(images, labels.tolist(), strict=True)]
        return Drawn(sheet(tiles, 5, 128), f"One image of each class of {code(name)}.")
    return None


def _conflicts(item: Any) -> Drawn:
    """Three images of a cue-conflict set with the digits that they are made from."""
    from robustbench_eff.core.rng import RandomStreams
    from robustbench_eff.generation.conflict_plan import ConflictSettings, as_floats, plan_conflicts
    from robustbench_eff.registry.build_benchmark import benchmark

    plan = plan_conflicts(benchmark("digits"), {}, ConflictSettings(styliser=item.stylise_with, limit=3))
    shapes, textures = as_floats(plan.images, plan.shapes), as_floats(plan.images, plan.textures)
    draws = RandomStreams.of(plan.settings.seed, [plan.images.sample_ids[row] for row in plan.shapes])
    conflicts = plan.styliser(shapes, textures, plan.settings.strength, draws)
    tiles = []
    for row in range(3):
        shape, texture = (plan.names[rows[row]] for rows in (plan.shapes, plan.textures))
        tiles += [Tile(picture(shapes[row]), f"shape: {shape}"), Tile(picture(textures[row]), f"texture: {texture}")]
        tiles += [Tile(picture(conflicts[row]), "conflict")]
    caption = f"The first three images of {code(item.name)}, and the digits that give shape and texture."
    return Drawn(sheet(tiles, 3, 208), caption)


def _corrupted(item: Any) -> Drawn:
    """A photograph under everything that a generated benchmark does to its images."""
    constants = "imagenet" if item.label_space == "imagenet" else "cifar10"
    names = _perturbations(item.name)
    of_frames = _folders()[names[0]] == "sequences"
    changed = _last_frames(names, constants) if of_frames else _corruptions(names, constants, item.jpeg_quality)
    tiles = [Tile(picture(image), name.removesuffix("_sequence")) for name, image in changed.items()]
    shown = "the last frame of every sequence" if of_frames else "every corruption at severity 3"
    caption = f"What {code(item.name)} does to an image: {shown}, on {SIDES[constants]} × {SIDES[constants]} pixels. "
    return Drawn(sheet(tiles, 3, 224), f"{caption}The image is none of the benchmark's but a {CREDIT}.")


def _corruptions(names: Sequence[str], constants: str, jpeg_quality: int | None) -> dict[str, torch.Tensor]:
    from robustbench_eff.corruptions import JpegSaved
    from robustbench_eff.registry.corruptions import CORRUPTIONS

    pixels = shipped.photograph(PHOTOGRAPH, SIDES[constants])[None]
    changed = {"original": pixels[0]}
    for name in names:
        corruption = uncompiled(CORRUPTIONS.own[name].load()).at(3, constants)
        if jpeg_quality is not None:
            corruption = JpegSaved(corruption, jpeg_quality)
        changed[name] = corruption(pixels)[0]
    return changed


def _last_frames(names: Sequence[str], constants: str) -> dict[str, torch.Tensor]:
    from robustbench_eff.registry.sequences import SEQUENCES

    side = SIDES[constants]
    whole = picture_tensor(PHOTOGRAPH) if constants == "imagenet" else shipped.photograph(PHOTOGRAPH, side)
    first = whole if constants == "cifar10" else shipped.photograph(PHOTOGRAPH, side)
    return {"original": first} | {name: SEQUENCES.own[name].load().at(1, constants)(whole, side)[-1] for name in names}
