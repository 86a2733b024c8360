"""Write robustbench_eff/facts/references.json, which `robust-eval verify` recomputes, from tables of published numbers.

    python scripts/golden_references.py PUBLISHED_FOLDER COUNTS.json

PUBLISHED_FOLDER contains robustbench.csv with accuracies in percent by model and benchmark; the benchmarks are named
imagenet-c/CORRUPTION/SEVERITY. COUNTS.json contains the decisions on cue-conflict images by observer.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "robustbench_eff" / "facts" / "references.json"
OBSERVERS = {
    "humans": "human/ALL_HUMANS",
    "AlexNet": "geirhos2019/orig/alexnet",
    "GoogLeNet": "geirhos2019/orig/googlenet",
    "VGG-16": "geirhos2019/orig/vgg",
    "ResNet-50": "geirhos2019/trained/resnet50",
    "ResNet-50 on Stylized-ImageNet": "geirhos2019/trained/resnet50_train_60_epochs",
}
STATED = {
    "humans": 95.87,
    "AlexNet": 42.94,
    "GoogLeNet": 31.19,
    "VGG-16": 17.22,
    "ResNet-50": 22.07,
    "ResNet-50 on Stylized-ImageNet": 80.61,
}


def main() -> None:
    """Collect the references and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", type=Path)
    parser.add_argument("counts", type=Path)
    arguments = parser.parse_args()
    counts = json.loads(arguments.counts.read_text())
    references = {
        "imagenet_c": imagenet_c(arguments.published / "robustbench.csv"),
        "shape_bias": {
            "source": "raw trials of bethgelab/model-vs-human 79ed7cd and rgeirhos/texture-vs-shape",
            "observers": {
                name: {"shape": counts[key]["shape"], "texture": counts[key]["texture"], "stated": STATED[name]}
                for name, key in OBSERVERS.items()
            },
        },
        "effective_robustness": {
            "source": "logit-linear fits to the standard models of modestyachts/imagenet-testbed 0170eec",
            "fits": {
                "imagenetv2-matched-frequency": [0.9233, -0.4982, 0.998],
                "objectnet": [0.9803, -1.9260, 0.976],
                "imagenet-sketch": [1.0712, -2.3722, 0.932],
                "imagenet-r": [0.6372, -2.1104, 0.943],
            },
        },
    }
    OUT.write_text(json.dumps(references, indent=1) + "\n")


def imagenet_c(table: Path) -> dict[str, Any]:
    """Return the errors of RobustBench's 12 models on 5,000 images by corruption and severity, and the stated mCE."""
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0] * 5))
    stated: dict[str, float] = {}
    with table.open() as file:
        for row in csv.DictReader(file):
            name = row["model"].rpartition("/")[2]
            if row["benchmark"] == "imagenet-c" and row["metric"] == "mce":
                stated[name] = float(row["value"])
            elif row["benchmark"].startswith("imagenet-c/"):
                _, corruption, severity = row["benchmark"].split("/")
                errors[name][corruption][int(severity) - 1] = round(1 - float(row["value"]) / 100, 6)
    return {
        "source": "RobustBench model_info 78fcc9e, 5,000 images",
        "models": {name: {"stated": stated.get(name), "errors": dict(of)} for name, of in sorted(errors.items())},
    }


if __name__ == "__main__":
    main()
