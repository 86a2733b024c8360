"""Write the reference pages of the documentation from the code: commands, settings, every table, the Python API.

    python scripts/render_reference.py [--out docs/reference] [--sources build/docs]

The pages are written anew for every build of the site and are not kept in the repository, so they cannot go stale.
`--sources` is a folder of links in which the four wings lie inside the package, as they do when it is installed: the
site generator reads docstrings there without importing anything. Pictures are drawn by what they show, from shipped
data only, and kept in `build/pictures` until that code changes.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from site_pages import api, attacks, benchmarks, corruptions, defenses, pictures, tables

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "build" / "pictures"


def main() -> None:
    """Write every page and picture, and link the sources."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reference")
    parser.add_argument("--sources", type=Path, default=ROOT / "build" / "docs")
    arguments = parser.parse_args()
    os.environ["ROBUST_EVAL_CACHE"] = str(PICTURES / "cache")
    link_sources(arguments.sources)
    shutil.rmtree(arguments.out, ignore_errors=True)  # also the pages of components that are no more
    torch.set_num_threads(1)  # a few small images at a time: several threads would wait for each other
    captions = pictures.captions(kinds(), PICTURES, arguments.out)
    for name, page in pages(captions).items():
        (arguments.out / name).write_text(page)
    shutil.copy(ROOT / "examples" / "digits-zoo.png", arguments.out)


def kinds() -> tuple[pictures.Kind, ...]:
    """Return the kinds of components that have a page each, with how their pictures are drawn."""
    from robustbench_eff.registry.attacks import ATTACKS
    from robustbench_eff.registry.benchmarks import BENCHMARKS
    from robustbench_eff.registry.corruptions import CORRUPTIONS
    from robustbench_eff.registry.defenses import DEFENSES
    from robustbench_eff.registry.sequences import SEQUENCES
    from robustbench_eff.registry.stylisers import STYLISERS

    trained = ("defenses/checkpoints",)
    all_of_them = ("corruptions", "robustbench_eff/benchmarks", "robustbench_eff/generation")
    return (
        pictures.Kind("attacks", ATTACKS.own, attacks.draw_attack, attacks.attack_page, ("attacks", *trained), ".png"),
        pictures.Kind(
            "defenses", DEFENSES.own, defenses.draw_defense, defenses.defense_page, ("corruptions", "defenses"), ".png"
        ),
        pictures.Kind(
            "corruptions",
            CORRUPTIONS.own,
            corruptions.draw_corruption,
            corruptions.corruption_page,
            ("corruptions",),
            ".jpg",
        ),
        pictures.Kind(
            "sequences", SEQUENCES.own, corruptions.draw_sequence, corruptions.sequence_page, ("corruptions",), ".jpg"
        ),
        pictures.Kind(
            "stylisers", STYLISERS.own, corruptions.draw_styliser, corruptions.styliser_page, ("corruptions",), ".jpg"
        ),
        pictures.Kind(
            "benchmarks", BENCHMARKS.own, benchmarks.draw_benchmark, benchmarks.benchmark_page, all_of_them, ".jpg"
        ),
    )


def pages(captions: Mapping[str, str]) -> dict[str, str]:
    """Return the text of every reference page by its path.

    Args:
        captions: What each picture shows by `FOLDER/NAME`; a page without a caption has no picture.
    """
    texts = {
        "commands.md": tables.commands_page(),
        "settings.md": tables.settings_page(),
        "attacks.md": attacks.attacks_index(),
        "corruptions.md": corruptions.corruptions_index(),
        "defenses.md": defenses.defenses_index(),
        "benchmarks.md": benchmarks.benchmarks_index(),
        "suites.md": tables.suites_page(),
        "metrics.md": tables.metrics_page(),
        "components.md": tables.components_page(),
        "api.md": api.api_index(),
        **{api.api_file(module): api.api_page(module) for module in api.API},
    }
    for kind in kinds():
        for name in kind.names:
            texts[f"{kind.folder}/{name}.md"] = kind.page(name, captions.get(f"{kind.folder}/{name}"))
    return texts


def link_sources(folder: Path) -> None:
    """Fill `folder` with links that show the package as it is installed, the wings among its rooms.

    Args:
        folder: Folder in which the package is laid out; links from an earlier run are replaced.
    """
    package = folder / api.PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    for link in package.iterdir():
        link.unlink()
    for path in (*(ROOT / api.PACKAGE).iterdir(), *(ROOT / wing for wing in api.WINGS)):
        (package / path.name).symlink_to(path)


if __name__ == "__main__":
    main()
