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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
import torch
from peers import Run
from torch import Tensor

from robustbench_eff import environment, load_classifier, spec
from robustbench_eff.api import hardware
from robustbench_eff.attacks import APGD, APGDT, FABT, PGD, AutoAttack, OnePixel, Oracle, Square
from robustbench_eff.attacks.losses import cross_entropy
from robustbench_eff.benchmarks import sources
from robustbench_eff.benchmarks.cache import prepare
from robustbench_eff.catalog import benchmark
from robustbench_eff.classifier import Classifier
from robustbench_eff.types import Attack


@dataclass(frozen=True)
class Race:
    """Ours and the peers that do the same work."""

    name: str
    ours: Run
    peers: dict[str, Run]


@dataclass(frozen=True)
class Setting:
    """What every race is run on."""

    classifier: Classifier
    images: Tensor
    labels: Tensor
    eps: float
    norm: str
    batch_size: int
    generations: int
    queries: int
    compiled: bool
    precision: str

    def run(self, attack: Attack, twin: str | None) -> Run:
        """An attack of ours on the float32 network as it is or on a twin, made and compiled before the clock starts."""
        compiled = self.compiled and twin is not None
        oracle = Oracle(self.classifier, batch_size=self.batch_size, twin=twin, compiled=compiled)  # type: ignore[arg-type]
        for size in (4, 1, 3, self.batch_size) if compiled else (4,):
            images, labels = self.images[:size], self.labels[:size]
            rows = torch.arange(len(images), device=images.device)
            with Oracle.open(oracle, images, labels) as opened:
                opened.logits(images, rows)
                opened.gradient(images, labels, cross_entropy, rows)
        return lambda: attack(oracle, self.images, self.labels)

    @property
    def default(self) -> str:
        """The precision that was asked for, or that `robust-eval` takes by itself."""
        if self.precision != "auto":
            return self.precision
        return hardware.precision(self.classifier, str(self.images.device))

    @property
    def words(self) -> str:
        """How our network is queried by default."""
        by = "default" if self.precision == "auto" else "asked for"
        return f"{by} ({self.default}{', compiled' if self.compiled else ''})"


def pgd_races(given: Setting) -> Iterator[Race]:
    """FGSM and PGD against Foolbox, torchattacks and the bare loop over live samples."""
    where = (given.classifier, given.images, given.labels, given.eps)
    for steps in (1, 10, 50):
        step = given.eps if steps == 1 else None
        attack = PGD(
            eps=given.eps,
            norm=given.norm,  # type: ignore[arg-type]
            steps=steps,
            step_size=step,
            random_start=False,
            early_stop=steps > 1,
        )
        others = {
            "foolbox": peers.foolbox_pgd(*where, steps, given.norm),
            "torchattacks": peers.torchattacks_pgd(*where, steps, given.norm),
        }
        if given.norm == "linf" and steps > 1:
            others["bare loop, live samples"] = peers.bare_pgd(*where, steps, given.batch_size)
        name = "fgsm" if steps == 1 else f"pgd-{steps}"
        yield Race(f"{name} {given.norm}, float32 as it is", given.run(attack, None), others)
        yield Race(f"{name} {given.norm}, {given.words}", given.run(attack, given.default), others)


def autoattack_races(given: Setting) -> Iterator[Race]:
    """AutoAttack standard against pyautoattack."""
    attack = AutoAttack(eps=given.eps, norm=given.norm)  # type: ignore[arg-type]
    peer = _pyautoattack(given, "standard")
    yield Race(f"autoattack standard {given.norm}, {given.words}", given.run(attack, given.default), peer)


def component_races(given: Setting) -> Iterator[Race]:
    """Each part of AutoAttack alone on all samples."""
    ball: dict[str, Any] = {"eps": given.eps, "norm": given.norm}
    sparse = given.norm == "l1"
    parts: dict[str, Attack] = {
        "apgd-ce": APGD(**ball, restarts=5 if sparse else 1, shrinking_ball=sparse),
        "apgd-t": APGDT(**ball, targets=5 if sparse else 9, shrinking_ball=sparse),
        "fab-t": FABT(**ball),
        "square": Square(**ball),
    }
    for name, attack in parts.items():
        run = given.run(attack, given.default)
        yield Race(f"{name} {given.norm}, {given.words}", run, _pyautoattack(given, name))


def square_races(given: Setting) -> Iterator[Race]:
    """Square against the bare forward passes that it asks for."""
    attack = Square(eps=given.eps, norm=given.norm, queries=given.queries)  # type: ignore[arg-type]
    for twin in dict.fromkeys((None, given.default)):
        oracle = Oracle(given.classifier, batch_size=given.batch_size, twin=twin)  # type: ignore[arg-type]
        attack(oracle, given.images, given.labels)
        asked = oracle.effort.num_forwards
        live = [int((asked > query).sum()) for query in range(int(asked.max()))]
        network: Any = oracle._model(given.images)
        bare = peers.bare_forwards(network, given.images, live, given.batch_size)
        name = f"square {given.norm}, {given.queries} queries, {twin or 'float32 as it is'}"
        yield Race(name, lambda oracle=oracle: attack(oracle, given.images, given.labels), {"bare forwards": bare})  # type: ignore[misc]


def one_pixel_races(given: Setting) -> Iterator[Race]:
    """Differential evolution with population 400, untargeted, against scipy and ART."""
    attack = OnePixel(generations=given.generations)
    where = (given.classifier, given.images, given.labels, given.generations)
    others = {"scipy": peers.scipy_one_pixel(*where), "art": peers.art_one_pixel(*where)}
    for twin in dict.fromkeys((None, given.default)):
        how = given.words if twin else "float32 as it is"
        name = f"one pixel, {given.generations} generations, {how}"
        yield Race(name, given.run(attack, twin), others)


RACES: dict[str, Callable[[Setting], Iterator[Race]]] = {
    "pgd": pgd_races,
    "autoattack": autoattack_races,
    "components": component_races,
    "square": square_races,
    "one_pixel": one_pixel_races,
}


def main() -> None:
    """Run the races that were asked for on one classifier and one set of images."""
    words = _words()
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
            facts |= hardware.describe(words.device) | {"threads": words.threads, "batch_size": words.batch_size}
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
    opened = sources.open_location(words.data, row.split) if words.data else row.embedded()  # type: ignore[misc]
    prepared = prepare(row, opened, classifier.preprocessing.geometry, limit=words.limit)
    images, labels = prepared.batch(0, len(prepared), words.device)
    with torch.no_grad():
        right = torch.cat([classifier(part) for part in images.split(64)]).argmax(1) == labels
    return images[right].contiguous(), labels[right]


def _pyautoattack(given: Setting, part: str) -> dict[str, Run]:
    where = (given.classifier, given.images, given.labels, given.eps, given.norm)
    return {"pyautoattack": peers.pyautoattack(*where, [part])}


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
