"""Benchmark our attacks against other libraries, interleaved in one run: python speed/attacks.py --races pgd,autoattack

    python speed/attacks.py --model speed/networks.py:resnet18 --model-arg width=16 --weights FILE --input-size 32 \\
        --benchmark cifar10 --data cifar10.npz --limit 128 --races pgd,autoattack,square --out speed/results/NAME.json

For every peer, prints the median over the repeats of our time divided by the peer's, the number of samples that stay
correct under each attack, and the samples that only one of the two breaks; writes the same as JSON with --out. The
plain float32 network judges all results. A speed-up with a higher robust accuracy than the peer's does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import record
from races import RACES, Race, Setting
from robustbench_eff import load_classifier
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core import spec
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.registry.build_benchmark import benchmark
from robustbench_eff.registry.open_benchmark import open_location
from robustbench_eff.system import devices


def main() -> None:
    """Run the races of --races on one classifier and one set of images."""
    arguments = _arguments()
    devices.keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    classifier = load_classifier(
        arguments.model,
        weights=arguments.weights,
        mean=arguments.mean,
        std=arguments.std,
        input_size=arguments.input_size,
        device=arguments.device,
        model_args=spec.parse(f"model({', '.join(arguments.model_arg)})").arguments,
    )
    images, labels = _samples(classifier, arguments)
    given = Setting(
        classifier,
        images,
        labels,
        spec.number(arguments.eps),
        arguments.norm,
        arguments.batch_size,
        arguments.generations,
        arguments.queries,
        arguments.compile,
        arguments.precision,
    )
    rows: list[dict[str, Any]] = []
    for race in (race for name in arguments.races.split(",") for race in RACES[name](given)):
        for row in _rows(race, given, arguments.repeats):
            rows.append(row)
            print(
                f"{row['attack']:44} {row['ours_seconds']:8.3f} s  {row['peer']:24} {row['peer_seconds']:8.3f} s  "
                f"ratio {row['ratio']:.3f} [{row['ratio_min']:.3f}, {row['ratio_max']:.3f}]  "
                f"correct {row['ours_right']} against {row['peer_right']} of {row['n']}",
                flush=True,
            )
        if arguments.out is not None:  # after every race, so that an interrupted run leaves its results
            facts = devices.describe(arguments.device) | {
                "threads": arguments.threads,
                "batch_size": arguments.batch_size,
            }
            model = f"{Path(arguments.model).name}({', '.join(arguments.model_arg)})"
            facts |= {"model": model, "weights": Path(arguments.weights or "shipped").name, "n": len(images)}
            record.write(arguments.out, facts | {"eps": arguments.eps, "norm": arguments.norm, "rows": rows})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", default="pgd", help=f"names from {', '.join(RACES)}, separated by commas")
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
    parser.add_argument("--precision", default="auto", help="of the low-precision copy that our attacks query")
    parser.add_argument("--compile", action="store_true", help="compile the low-precision copy")
    record.add_option(parser)
    return parser.parse_args()


def _samples(classifier: Classifier, arguments: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Return the samples that are classified correctly when clean: those that an evaluation attacks."""
    row = benchmark(arguments.benchmark, arguments.data)
    opened = open_location(arguments.data, row.split) if arguments.data else row.open_bundled()  # type: ignore[misc]
    prepared = prepare(row, opened, classifier.preprocessing.geometry, limit=arguments.limit)
    images, labels = prepared.batch(0, len(prepared), arguments.device)
    with torch.no_grad():
        right = torch.cat([classifier(part) for part in images.split(64)]).argmax(1) == labels
    return images[right].contiguous(), labels[right]


def _rows(race: Race, given: Setting, repeats: int) -> Iterator[dict[str, Any]]:
    """Time the runs in turn, and yield a row per peer; with several repeats, the first is a warm-up."""
    runs = {"ours": race.ours, **race.peers}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    correct: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    # In one thread on a CPU, processor time: what other programs do at the same time costs less of it.
    alone = given.images.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    for _ in range(repeats):
        for name, run in runs.items():
            _wait(given.images)
            start = clock()
            adversarial = run()
            _wait(given.images)
            seconds[name].append(clock() - start)
            correct[name], found[name] = _correct(given, adversarial), adversarial
    timed = slice(1, None) if repeats > 1 else slice(None)
    for name in race.peers:
        ratios = [ours / theirs for ours, theirs in zip(seconds["ours"][timed], seconds[name][timed], strict=True)]
        yield {
            "attack": race.name,
            "peer": name,
            "ours_seconds": statistics.median(seconds["ours"][timed]),
            "peer_seconds": statistics.median(seconds[name][timed]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "repeats": len(ratios),
            "n": len(given.images),
            "same_images": int((found["ours"] == found[name]).flatten(1).all(1).sum()),
            "ours_right": int(correct["ours"].sum()),
            "peer_right": int(correct[name].sum()),
            "only_peer_broke": (correct["ours"] & ~correct[name]).nonzero()[:, 0].tolist(),
            "only_ours_broke": (~correct["ours"] & correct[name]).nonzero()[:, 0].tolist(),
            **race.facts,
        }


def _correct(given: Setting, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits = torch.cat([given.classifier(part) for part in images.split(given.batch_size)])
    return logits.argmax(1) == given.labels


def _wait(images: Tensor) -> None:
    if images.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
