"""Our attacks against other libraries, interleaved in one run: python speed/attacks.py --races pgd,autoattack ...

    python speed/attacks.py --model speed/networks.py:resnet18 --model-arg width=16 --weights FILE --input-size 32 \\
        --benchmark cifar10 --data cifar10.npz --limit 128 --races pgd,autoattack,square --out speed/results/NAME.json

Prints, and writes as JSON with --out, for every peer the median of our time / its time over the repeats, how many
samples each leaves right, and which samples only one of the two breaks. Who breaks what is judged by the plain float32
network. A robust accuracy of ours above the peer's beside a speed-up voids the row.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from races import RACES, Race, Setting
from robustbench_eff import load_classifier
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core import spec
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.build_benchmark import benchmark
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.system import devices, environment


def main() -> None:
    """Run the races that were asked for on one classifier and one set of images."""
    words = _words()
    devices.keep_freed_memory()
    torch.set_num_threads(words.threads)
    classifier = load_classifier(
        words.model,
        weights=words.weights,
        mean=words.mean,
        std=words.std,
        input_size=words.input_size,
        device=words.device,
        model_args=spec.parse(f"model({', '.join(words.model_arg)})").arguments,
    )
    images, labels = _samples(classifier, words)
    given = Setting(
        classifier,
        images,
        labels,
        spec.number(words.eps),
        words.norm,
        words.batch_size,
        words.generations,
        words.queries,
        words.compile,
        words.precision,
    )
    rows: list[dict[str, Any]] = []
    for race in (race for name in words.races.split(",") for race in RACES[name](given)):
        for row in _rows(race, given, words.repeats):
            rows.append(row)
            print(
                f"{row['attack']:44} {row['ours_seconds']:8.3f} s  {row['peer']:24} {row['peer_seconds']:8.3f} s  "
                f"ratio {row['ratio']:.3f} [{row['ratio_min']:.3f}, {row['ratio_max']:.3f}]  "
                f"right {row['ours_right']} against {row['peer_right']} of {row['n']}",
                flush=True,
            )
        if words.out is not None:  # after every race, so that a long run that is cut leaves what it has
            facts = {name: value for name, value in environment.describe().items() if name != "command"}
            facts |= devices.describe(words.device) | {"threads": words.threads, "batch_size": words.batch_size}
            model = f"{Path(words.model).name}({', '.join(words.model_arg)})"
            facts |= {"model": model, "weights": Path(words.weights or "shipped").name, "n": len(images)}
            words.out.write_text(
                json.dumps(facts | {"eps": words.eps, "norm": words.norm, "rows": rows}, indent=1) + "\n"
            )


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", default="pgd", help=f"of {', '.join(RACES)}")
    parser.add_argument("--model", default="digits_standard")
    parser.add_argument("--model-arg", action="append", default=[])
    parser.add_argument("--weights")
    parser.add_argument("--mean", type=float, nargs="+")
    parser.add_argument("--std", type=float, nargs="+")
    parser.add_argument("--input-size", type=int)
    parser.add_argument("--benchmark", default="digits")
    parser.add_argument("--data")
    parser.add_argument("--limit", type=int, default=128)
    parser.add_argument("--eps", default="8/255")
    parser.add_argument("--norm", default="linf")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--generations", type=int, default=100)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", help="of our twins")
    parser.add_argument("--compile", action="store_true", help="our twins")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _samples(classifier: Classifier, words: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Samples that are right when clean: what an evaluation attacks."""
    row = benchmark(words.benchmark, words.data)
    opened = open_location(words.data, row.split) if words.data else row.open_bundled()  # type: ignore[misc]
    prepared = prepare(row, opened, classifier.preprocessing.geometry, limit=words.limit)
    images, labels = prepared.batch(0, len(prepared), words.device)
    with torch.no_grad():
        right = torch.cat([classifier(part) for part in images.split(64)]).argmax(1) == labels
    return images[right].contiguous(), labels[right]


def _rows(race: Race, given: Setting, repeats: int) -> Iterator[dict[str, Any]]:
    """Times in turn (the first repeat warms up where there are several), and who is right afterwards."""
    runs = {"ours": race.ours, **race.peers}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    right: dict[str, Tensor] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            _wait(given.images)
            began = time.perf_counter()
            found = run()
            _wait(given.images)
            seconds[name].append(time.perf_counter() - began)
            right[name] = _right(given, found)
    kept = slice(1, None) if repeats > 1 else slice(None)
    for name in race.peers:
        ratios = [ours / theirs for ours, theirs in zip(seconds["ours"][kept], seconds[name][kept], strict=True)]
        yield {
            "attack": race.name,
            "peer": name,
            "ours_seconds": statistics.median(seconds["ours"][kept]),
            "peer_seconds": statistics.median(seconds[name][kept]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "repeats": len(ratios),
            "n": len(given.images),
            "ours_right": int(right["ours"].sum()),
            "peer_right": int(right[name].sum()),
            "only_peer_broke": (right["ours"] & ~right[name]).nonzero()[:, 0].tolist(),
            "only_ours_broke": (~right["ours"] & right[name]).nonzero()[:, 0].tolist(),
        }


def _right(given: Setting, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits = torch.cat([given.classifier(part) for part in images.split(given.batch_size)])
    return logits.argmax(1) == given.labels


def _wait(images: Tensor) -> None:
    if images.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
