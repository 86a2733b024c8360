"""Tiny stores of every kind of score, made by hand, for tests of the entries that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from outcome_tables import attack_cell, cell, table
from robustbench_eff.core.shuffle import shuffled
from robustbench_eff.registry.perturbation_sets import IMAGENET_C, IMAGENET_P
from robustbench_eff.storage.store import Store
from robustbench_eff.storage.stored_cell import StoredCell

CLASSES, FRAMES = 4, 4
SMOOTHING = {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001}
CURVE = {"eps": [4 / 255, 8 / 255, 16 / 255]}
Right = Sequence[bool]


class Stored(NamedTuple):
    """A cell and its outcomes; None where the evaluation failed."""

    cell: StoredCell
    outcomes: pa.Table | None


def write(place: Path, parts: Sequence[Stored]) -> Path:
    """Write a store with one run that evaluated all cells."""
    store = Store(place)
    with store.lock():
        for part in parts:
            store.write_cell(part.cell)
            if part.outcomes is not None and part.outcomes.num_rows:
                store.write_shard(part.cell.id, part.outcomes)
        failed = {part.cell.id: "EvaluationError: it gave up\nhere" for part in parts if part.outcomes is None}
        run = {"cells": [part.cell.id for part in parts], "failed": failed, "versions": {"torch": "2"}, "gpu": "none"}
        store.write_run("run", run)
    return place


def first_of(n: int, right: int) -> list[bool]:
    """The first samples are right, the others wrong."""
    return [row < right for row in range(n)]


def clean(right: Right, **fields: Any) -> Stored:
    """Clean images, of which some are classified correctly."""
    columns = fields.pop("columns", {})
    return _stored(cell(len(right), **fields), right, right, **columns)


def attacked(
    text: str, clean_right: Right, robust: Right, eps: float | None, norm: str = "linf", **given: Any
) -> Stored:
    """Attacked images; the adversarial ones lie at growing distances."""
    n = len(clean_right)
    columns = {f"distance_{norm}": np.ones(n) if norm == "l0" else np.linspace(0.01, 0.03, n)} | given.pop(
        "columns", {}
    )
    return _stored(attack_cell(n, text, eps, norm, **given), clean_right, robust, **columns)


def _stored(of: StoredCell, clean_right: Right, right: Right, **columns: Any) -> Stored:
    n = len(clean_right)
    labels = np.arange(n) % CLASSES
    correct = np.array(clean_right, bool) & np.array(right, bool)
    own: dict[str, Any] = {"label": labels, "correct": correct, "correct_8bit": correct}
    own["clean_prediction"] = np.where(clean_right, labels, (labels + 1) % CLASSES)
    own["prediction"] = np.where(correct, labels, (labels + 1) % CLASSES)
    own |= {"confidence": np.full(n, 0.4), "prediction_confidence": np.linspace(0.5, 0.9, n)}
    return Stored(of.identified(), table(n, **(own | columns)))


def partly(stored: Stored, rows: Sequence[int]) -> Stored:
    """The same cell with only some of its samples."""
    assert stored.outcomes is not None
    return stored._replace(outcomes=stored.outcomes.take(pa.array(sorted(rows), pa.int64())))


def accuracies(right: int, n: int) -> Iterator[Stored]:
    """Clean images and two attacks in one ball, and so also the worst of both, at two precisions and with two seeds."""
    is_right, robust = first_of(n, right), first_of(n, right // 2)
    yield clean(is_right)
    yield attacked("fgsm(eps=8/255)", is_right, is_right, 8 / 255)
    for seed in (0, 1):
        yield attacked("pgd(eps=8/255)", is_right, robust, 8 / 255, seed=seed)
    yield attacked("fgsm(eps=8/255)", is_right, robust, 8 / 255, configuration={"precision": "float16"})


def unfinished() -> Iterator[Stored]:
    """Cells of which the first samples are stored, samples that were drawn at random, or none; and failed ones."""
    n = 40
    is_right = first_of(n, 30)
    yield clean(is_right)
    yield partly(attacked("fgsm(eps=8/255)", is_right, first_of(n, 9), 8 / 255), range(12))
    drawn = shuffled(n)[:10]
    yield partly(attacked("pgd(eps=8/255)", is_right, first_of(n, 9), 8 / 255, seed=0), [int(row) for row in drawn])
    yield partly(attacked("bim(eps=8/255)", is_right, is_right, 8 / 255), [])
    yield attacked("square(eps=8/255)", is_right, is_right, 8 / 255)._replace(outcomes=None)
    yield attacked("fmn", is_right, is_right, None)._replace(outcomes=None)
    yield clean(is_right, benchmark="cifar10")._replace(outcomes=None)
    yield partly(security_curve(is_right, first_of(n, 5)), range(3))


def security_curve(is_right: Right, robust: Right, **given: Any) -> Stored:
    """A search inside growing balls up to 16/255."""
    text = "security_curve(eps=[4/255, 8/255, 16/255])"
    return attacked(text, is_right, robust, 16 / 255, configuration=CURVE, **given)


def searches(n: int, right: int, survivors: int) -> Iterator[Stored]:
    """Searches for the closest adversarial image, of which there is none for some samples."""
    is_right, robust = first_of(n, right), first_of(n, survivors)
    yield clean(is_right)
    yield attacked("fmn", is_right, robust, None)
    yield attacked("fab(eps=none)", is_right, robust, None)
    yield attacked("carlini_wagner", is_right, robust, None, "l2")
    yield attacked("foolbox:LinfDeepFoolAttack(eps=none)", is_right, robust, None)
    yield attacked("fmn(eps=8/255)", is_right, robust, 8 / 255)
    yield security_curve(is_right, robust, seed=0)


def votes() -> Iterator[Stored]:
    """A network that draws at random: four votes on every image."""
    n = 12
    given = {"votes_per_image": 4}
    often = [[True, True, row % 2 == 0, row % 3 == 0] for row in range(n)]
    flags = ("draws at random: 4 votes per image",)
    right = [sum(of) > 2 for of in often]
    yield clean(right, configuration=given, flags=flags, columns={"votes": often})
    seldom = [[row % 2 == 0, False, False, row % 3 == 0] for row in range(n)]
    for text in ("fgsm(eps=8/255)", "mi_fgsm(eps=8/255)"):
        columns = {"votes": seldom}
        yield attacked(text, right, [False] * n, 8 / 255, configuration=given, flags=flags, columns=columns)


def orders() -> Iterator[Stored]:
    """A network that adapts to a stream, in three orders."""
    n = 10
    protocol = {"split": "test", "count": n, "stream": "batches of 5, in 3 i.i.d. orders, never reset"}
    of_each = [[row < 7, row < 6, row % 2 == 0] for row in range(n)]
    given = {"adaptation": {"orders": 3}}
    right = [of[0] for of in of_each]
    yield clean(right, protocol=protocol, configuration=given, columns={"votes": of_each})
    fog = {"corruption": "fog", "severity": 3, "constants": "imagenet"} | given
    yield clean(right, perturbation="fog(severity=3)", protocol=protocol, configuration=fog, columns={"votes": of_each})


def cue_conflict() -> Iterator[Stored]:
    """Images whose shape and texture have different classes; one class is never decided."""
    n = 16
    shape, texture = np.arange(n) % 4, (np.arange(n) // 4) % 4
    guess = np.where(shape == 3, 2, np.where(np.arange(n) % 3 == 0, shape, texture))
    yield clean(
        list(guess == shape),
        benchmark="cue-conflict",
        columns={"label": shape, "texture": texture, "prediction": guess},
    )


def corruptions() -> Iterator[Stored]:
    """All 15 corruptions of ImageNet-C at 5 severities, drawn with one seed."""
    n = 6
    is_right = first_of(n, 5)
    yield clean(is_right, benchmark="imagenet")
    for index, name in enumerate(IMAGENET_C):
        for severity in range(1, 6):
            configuration = {"corruption": name, "severity": severity, "constants": "imagenet"}
            right = [row + severity + index % 3 < 7 for row in range(n)]
            of = cell(
                n, f"{name}(severity={severity})", benchmark="imagenet-c-generated", configuration=configuration, seed=0
            )
            yield _stored(of, [True] * n, right)


def sequences() -> Iterator[Stored]:
    """The 10 sequences of ImageNet-P."""
    n = 3
    for name in IMAGENET_P:
        configuration = {"sequence": name, "difficulty": 1, "constants": "imagenet", "frames": FRAMES}
        configuration["compared_with"] = "first" if "noise" in name else "previous"
        frames = np.tile(np.arange(5), (n, FRAMES, 1))
        frames[0, 1::2] = [4, 3, 5, 6, 7]  # as far as five classes can move
        columns = {"ranking": frames.reshape(n, FRAMES * 5).tolist()}
        of = cell(n, name, benchmark="imagenet-p-generated", configuration=configuration)
        yield _stored(of, [True] * n, first_of(n, 1), **columns)


def certificates() -> Iterator[Stored]:
    """A smoothed classifier that abstains on some samples, and an attack on it."""
    n = 9
    right = first_of(n, 6)
    given = {"smoothing": SMOOTHING}
    of = cell(n, "smoothing(sigma=0.25)", kind="certificate", configuration=given, seed=0)
    guess = np.where(right, np.arange(n) % CLASSES, -1)
    yield _stored(of, right, right, radius=np.where(right, 0.3, 0.0), prediction=guess)
    text = "pgd(eps=0.5, norm=l2) on smoothing(sigma=0.25)"
    columns = {"prediction": guess, "distance_l2": np.full(n, 0.5)}
    yield attacked(text, right, right, 0.5, "l2", configuration=given, seed=0, columns=columns)


def one_pixel(n: int, right: int, survivors: int) -> Iterator[Stored]:
    """The one-pixel attack."""
    is_right = first_of(n, right)
    yield clean(is_right)
    yield attacked("one_pixel(targets=9)", is_right, first_of(n, survivors), 1, "l0", configuration={"targets": 9})


def shifts(names: Sequence[str]) -> Iterator[Stored]:
    """ImageNet under its official file names, of which some have ReaL labels, and a natural shift of it."""
    yield clean(first_of(len(names), 3), benchmark="imagenet", columns={"sample_id": list(names)})
    yield clean(first_of(20, 9), benchmark="imagenet-sketch")


def two_models() -> Iterator[Stored]:
    """Two models of one name, one of which fails; and another name."""
    yield clean(first_of(8, 5))
    yield clean(first_of(8, 4), model_digest="another")
    yield attacked("fgsm(eps=8/255)", first_of(8, 4), first_of(8, 2), 8 / 255, model_digest="another")
    yield attacked("fmn", first_of(8, 4), first_of(8, 2), None, model_digest="another")._replace(outcomes=None)
    yield clean(first_of(8, 4), model="third", model_digest="a third", flags=("weights are random",))


OFFICIAL = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 9)]

STORES: Mapping[str, Sequence[Stored]] = {
    "accuracies": [*accuracies(30, 40)],
    "one image, right": [*accuracies(1, 1)],
    "one image, wrong": [*accuracies(0, 1)],
    "all right": [*accuracies(20, 20)],
    "all wrong": [*accuracies(0, 20)],
    "unfinished": [*unfinished()],
    "searches": [*searches(40, 36, 5)],
    "open intervals": [*searches(40, 36, 16)],
    "infinite medians": [*searches(40, 36, 24)],
    "no adversarial images": [*searches(40, 40, 40)],
    "searches without a right image": [*searches(10, 0, 0)],
    "searches with one image": [*searches(1, 1, 0)],
    "votes": [*votes()],
    "orders": [*orders()],
    "cue conflict": [*cue_conflict()],
    "corruptions": [*corruptions()],
    "sequences": [*sequences()],
    "certificates": [*certificates()],
    "one pixel": [*one_pixel(12, 9, 5)],
    "one pixel without success": [*one_pixel(12, 9, 9)],
    "one pixel without a right image": [*one_pixel(12, 0, 0)],
    "shifts": [*shifts(OFFICIAL)],
    "some official names": [*shifts([*OFFICIAL[:4], "a.png", "b.png"])],
    "two models": [*two_models()],
}
"""Cells by what is particular about them."""
