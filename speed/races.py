"""Races: an attack of ours and the peers that do the same work, on one setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

import peers
from peers import Run
from robustbench_eff.attacks import APGD, APGDT, FABT, PGD, AutoAttack, OnePixel, Oracle, Square
from robustbench_eff.attacks.losses import cross_entropy
from robustbench_eff.core.types import Attack
from robustbench_eff.evaluation import batch_sizes
from robustbench_eff.models.classifier import Classifier


@dataclass(frozen=True)
class Race:
    """An attack of ours and its peers."""

    name: str
    ours: Run
    peers: dict[str, Run]
    facts: dict[str, Any] = field(default_factory=dict)
    """What is known beforehand, such as counts."""


@dataclass(frozen=True)
class Setting:
    """Model, samples and options of all races."""

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

    def run(self, attack: Attack, precision: str | None) -> Run:
        """Return an attack of ours on the plain float32 network, or on a low-precision copy compiled beforehand."""
        compiled = self.compiled and precision is not None
        oracle = Oracle(self.classifier, batch_size=self.batch_size, precision=precision, compiled=compiled)  # type: ignore[arg-type]
        for size in (4, 1, 3, self.batch_size) if compiled else (4,):
            images, labels = self.images[:size], self.labels[:size]
            rows = torch.arange(len(images), device=images.device)
            with Oracle.open(oracle, images, labels) as opened:
                opened.logits(images, rows)
                opened.gradient(images, labels, cross_entropy, rows)
        return lambda: attack(oracle, self.images, self.labels)

    @property
    def default(self) -> str:
        """The precision of --precision, or the default of `robust-eval`."""
        if self.precision != "auto":
            return self.precision
        return batch_sizes.precision(self.classifier, str(self.images.device))

    @property
    def query_mode(self) -> str:
        """Description of how our attacks query the network."""
        choice = "default" if self.precision == "auto" else "asked for"
        return f"{choice} ({self.default}{', compiled' if self.compiled else ''})"


def pgd_races(given: Setting) -> Iterator[Race]:
    """Yield FGSM and PGD against Foolbox, torchattacks and the minimal loop over live samples."""
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
        yield Race(f"{name} {given.norm}, {given.query_mode}", given.run(attack, given.default), others)


def autoattack_races(given: Setting) -> Iterator[Race]:
    """Yield AutoAttack standard against pyautoattack."""
    attack = AutoAttack(eps=given.eps, norm=given.norm)  # type: ignore[arg-type]
    peer = _pyautoattack(given, "standard")
    yield Race(f"autoattack standard {given.norm}, {given.query_mode}", given.run(attack, given.default), peer)


def component_races(given: Setting) -> Iterator[Race]:
    """Yield each attack of AutoAttack alone on all samples."""
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
        yield Race(f"{name} {given.norm}, {given.query_mode}", run, _pyautoattack(given, name))


def rough_races(given: Setting) -> Iterator[Race]:
    """Yield long ascents along bfloat16 gradients against the same ones in float32."""
    ball: dict[str, Any] = {"eps": given.eps, "norm": given.norm}
    ascents: dict[str, Attack] = {
        "pgd-20": PGD(**ball, steps=20),
        "pgd-50": PGD(**ball, steps=50),
        "apgd-ce": APGD(**ball),
        "apgd-dlr": APGD(**ball, loss="dlr"),
        "apgd-t, 3 targets": APGDT(**ball, targets=3),
    }
    for name, attack in ascents.items():
        exact = {"float32 copy": given.run(attack, "float32")}
        yield Race(f"{name} {given.norm}, asked for (bfloat16)", given.run(attack, "bfloat16"), exact)


def square_races(given: Setting) -> Iterator[Race]:
    """Yield Square against its forward passes alone."""
    attack = Square(eps=given.eps, norm=given.norm, queries=given.queries)  # type: ignore[arg-type]
    for precision in dict.fromkeys((None, given.default)):
        oracle = Oracle(given.classifier, batch_size=given.batch_size, precision=precision)  # type: ignore[arg-type]
        attack(oracle, given.images, given.labels)
        queries = oracle.effort.num_forwards
        live = [int((queries > query).sum()) for query in range(int(queries.max()))]
        network: Any = oracle._queried(given.images)
        bare = peers.bare_forwards(network, given.images, live, given.batch_size)
        name = f"square {given.norm}, {given.queries} queries, {precision or 'float32 as it is'}"
        yield Race(name, lambda oracle=oracle: attack(oracle, given.images, given.labels), {"bare forwards": bare})  # type: ignore[misc]


def one_pixel_races(given: Setting) -> Iterator[Race]:
    """Yield untargeted differential evolution with population 400 against scipy and ART."""
    attack = OnePixel(generations=given.generations)
    where = (given.classifier, given.images, given.labels, given.generations)
    others = {"scipy": peers.scipy_one_pixel(*where), "art": peers.art_one_pixel(*where)}
    for precision in dict.fromkeys((None, given.default)):
        how = given.query_mode if precision else "float32 as it is"
        name = f"one pixel, {given.generations} generations, {how}"
        yield Race(name, given.run(attack, precision), others)


def one_pixel_pass_races(given: Setting) -> Iterator[Race]:
    """Yield untargeted differential evolution against its forward passes alone, and against whole queries."""
    attack = OnePixel(generations=given.generations)
    for precision in dict.fromkeys((None, given.default)):
        oracle = Oracle(given.classifier, batch_size=given.batch_size, precision=precision)  # type: ignore[arg-type]
        ours: Run = partial(attack, oracle, given.images, given.labels)
        whole = peers.queried_whole(ours)
        spent = []
        for run in (ours, whole):
            run()
            spent.append(oracle.effort.num_forwards)
        network: Any = oracle._queried(given.images)
        count = int(spent[1].sum())
        bare = peers.bare_passes(network, given.images, count, given.batch_size)
        facts = {"queries": count, "same_queries": int((spent[0] == spent[1]).sum())}
        how = given.query_mode if precision else "float32 as it is"
        name = f"one pixel, {given.generations} generations, {how}"
        yield Race(name, ours, {"bare forwards": bare, "whole queries": whole}, facts)


def _pyautoattack(given: Setting, part: str) -> dict[str, Run]:
    where = (given.classifier, given.images, given.labels, given.eps, given.norm)
    return {"pyautoattack": peers.pyautoattack(*where, [part])}


RACES: dict[str, Callable[[Setting], Iterator[Race]]] = {
    "pgd": pgd_races,
    "autoattack": autoattack_races,
    "components": component_races,
    "rough": rough_races,
    "square": square_races,
    "one_pixel": one_pixel_races,
    "one_pixel_passes": one_pixel_pass_races,
}
