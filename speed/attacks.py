"""FGSM and PGD against Foolbox, interleaved in one run: python speed/attacks.py --images FILE.npz --weights FILE ...

Prints, and writes as JSON with --out, the median time ratio (ours / peer) and both robust accuracies for each
attack. A robust accuracy above the peer's beside a speed-up would void the row.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foolbox
import torch
from torch import Tensor

from robustbench_eff import environment, load_classifier
from robustbench_eff.attacks import FGSM, PGD
from robustbench_eff.benchmarks import sources
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.catalog import benchmark
from robustbench_eff.classifier import Classifier
from robustbench_eff.spec import number

Run = Callable[[], Tensor]


def main() -> None:
    """Measure every pair on one classifier and one set of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="digits_standard")
    parser.add_argument("--weights")
    parser.add_argument("--mean", type=float, nargs="+")
    parser.add_argument("--std", type=float, nargs="+")
    parser.add_argument("--input-size", type=int)
    parser.add_argument("--benchmark", default="digits")
    parser.add_argument("--data")
    parser.add_argument("--limit", type=int, default=128)
    parser.add_argument("--eps", default="8/255")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    torch.set_num_threads(1)
    classifier = load_classifier(
        words.model,
        weights=words.weights,
        mean=words.mean,
        std=words.std,
        input_size=words.input_size,
        device=words.device,
    )
    images, labels = _samples(classifier, words)
    rows = [
        _row(name, pair, classifier, images, labels, words.repeats)
        for name, pair in _pairs(classifier, images, labels, number(words.eps)).items()
    ]
    for row in rows:
        print(
            f"{row['attack']:32} {row['ours_seconds']:7.3f} s  foolbox {row['peer_seconds']:7.3f} s  "
            f"ratio {row['ratio']:.2f} [{row['ratio_min']:.2f}, {row['ratio_max']:.2f}]  "
            f"robust {row['ours_robust']:.3f} against {row['peer_robust']:.3f}"
        )
    if words.out is not None:
        facts = {name: value for name, value in environment.describe().items() if name != "command"}
        facts |= {"device": words.device, "model": Path(words.model).name, "n": len(images)}
        words.out.write_text(json.dumps(facts | {"eps": words.eps, "rows": rows}, indent=2) + "\n")


def _samples(classifier: Classifier, words: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Samples that are right when clean: what an evaluation attacks."""
    row = benchmark(words.benchmark, words.data)
    opened = sources.open_location(words.data, row.split) if words.data else row.embedded()  # type: ignore[misc]
    prepared = prepare(row, opened, classifier.preprocessing.geometry, limit=words.limit)
    images, labels = prepared.batch(0, len(prepared), words.device)
    with torch.no_grad():
        right = classifier(images).argmax(1) == labels
    return images[right], labels[right]


def _pairs(classifier: Classifier, images: Tensor, labels: Tensor, eps: float) -> dict[str, tuple[Run, Run]]:
    """Our attack and Foolbox's with the same start, step and number of steps."""
    peer = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)

    def of_foolbox(attack: Any, radius: float) -> Run:
        def run() -> Tensor:
            _, clipped, _ = attack(peer, images, labels, epsilons=radius)
            result: Tensor = clipped
            return result

        return run

    pairs: dict[str, tuple[Run, Run]] = {
        "fgsm linf": (
            lambda: FGSM(eps=eps)(classifier, images, labels),
            of_foolbox(foolbox.attacks.FGSM(random_start=False), eps),
        )
    }
    for steps in (10, 50):
        for norm, radius in (("linf", eps), ("l2", 16 * eps)):
            step = 2.5 * radius / steps
            kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
            for early_stop in (True, False):
                ours = PGD(
                    eps=radius,
                    norm=norm,  # type: ignore[arg-type]
                    steps=steps,
                    step_size=step,
                    random_start=False,
                    early_stop=early_stop,
                )
                theirs = kind(steps=steps, abs_stepsize=step, random_start=False)
                name = f"pgd-{steps} {norm}{'' if early_stop else ', all steps'}"
                pairs[name] = (lambda ours=ours: ours(classifier, images, labels), of_foolbox(theirs, radius))  # type: ignore[misc]
    return pairs


def _row(
    name: str, pair: tuple[Run, Run], classifier: Classifier, images: Tensor, labels: Tensor, repeats: int
) -> dict[str, Any]:
    """Times of both, in turn, after one warm-up each."""
    robust = []
    for run in pair:
        proposed = run()
        with torch.no_grad():
            robust.append((classifier(proposed).argmax(1) == labels).float().mean().item())
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, times in zip(pair, seconds, strict=True):
            _wait(images)
            began = time.perf_counter()
            run()
            _wait(images)
            times.append(time.perf_counter() - began)
    ratios = [ours / theirs for ours, theirs in zip(*seconds, strict=True)]
    return {
        "attack": name,
        "ours_seconds": statistics.median(seconds[0]),
        "peer_seconds": statistics.median(seconds[1]),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "ours_robust": robust[0],
        "peer_robust": robust[1],
    }


def _wait(images: Tensor) -> None:
    if images.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
