"""Train the shipped `digits_standard` classifier again: python scripts/train_digits_standard.py [--out FOLDER]."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.benchmarks.digits import DIGITS, Split, open_digits
from robustbench_eff.defenses import Standard
from robustbench_eff.types import Images, Labels
from robustbench_eff.zoo.shipped import PREPROCESSING
from robustbench_eff.zoo.small_cnn import SmallCNN

SEED = 0


def main() -> None:
    """Train on the train split, report validation and test accuracy, write weights and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("defenses/checkpoints"))
    folder: Path = parser.parse_args().out
    torch.set_num_threads(1)  # the same sums in the same order on every machine with this processor
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        module = SmallCNN()
    mean = torch.tensor(PREPROCESSING.mean).view(1, 3, 1, 1)
    std = torch.tensor(PREPROCESSING.std).view(1, 3, 1, 1)

    def classify(images: Images) -> torch.Tensor:
        logits: torch.Tensor = module((images - mean) / std)
        return logits

    recipe = Standard()
    recipe(module, classify, *_split("train"), SEED)
    accuracy = {}
    for split in ("validation", "test"):
        images, labels = _split(split)
        with torch.no_grad():
            accuracy[split] = (classify(images).argmax(1) == labels).float().mean().item()
        print(f"{split} accuracy: {accuracy[split]:.2%} of {len(labels)}")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, folder / "digits_standard.safetensors")
    card = {
        "name": "digits_standard",
        "architecture": "SmallCNN",
        "recipe": {"name": "standard", **dataclasses.asdict(recipe)},
        "seed": SEED,
        "accuracy": accuracy,
        "made_by": "scripts/train_digits_standard.py",
    }
    (folder / "digits_standard.json").write_text(json.dumps(card, indent=2) + "\n")


def _split(split: Split) -> tuple[Images, Labels]:
    images = prepare(DIGITS, open_digits(split), PREPROCESSING.geometry)
    return images.batch(0, len(images))


if __name__ == "__main__":
    main()
