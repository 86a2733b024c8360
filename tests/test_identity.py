"""Two models that differ in anything get numbers of their own, in one store; the same model again costs nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

import places_of_settings
from places_of_settings import HIGH, LOW, PLACES
from plain_digits import base, images_and_labels, predictions
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.code_origin import BY_USER
from robustbench_eff.core.types import Attack, ImageCorruption
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.models.classifier import Classifier
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import table
from robustbench_eff.registry.table import Row
from robustbench_eff.storage.store import Store
from strange_models import ONE_BY_ONE, Checkers, one_by_one

CHECKERS = Checkers(eps=0.15)
COUNT = 32
Build = Callable[[], nn.Module | str | ModelRequest]


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes cached bytecode for that of a file that was edited within a second and kept its size."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


class Counting(NullListener):
    """Counts the samples that are computed and not read from the store."""

    def __init__(self) -> None:
        self.computed = 0

    def progressed(self, progress: Progress) -> None:
        self.computed += 0 if progress.resumed else progress.samples


def measured(
    model: nn.Module | ModelRequest | str,
    store: Path,
    attacks: Sequence[str | Attack] = (CHECKERS,),
    benchmark: str = "digits",
    limit: int = COUNT,
    **options,
) -> tuple[list[float | None], int]:
    """The accuracies of a model, clean and attacked, and how many samples were computed for them."""
    counting = Counting()
    if isinstance(model, nn.Module) and not isinstance(model, Classifier):
        model = load_classifier(model, input_size=32, device="cpu")
    result = evaluate(
        model,
        benchmarks=[benchmark],
        attacks=attacks,
        limit=limit,
        device="cpu",
        store=store,
        listener=counting,
        **options,
    )
    scores = [score for score in result.scores if score.metric in ("accuracy", "robust_accuracy")]
    return [score.value for score in scores], counting.computed


def true_numbers(module: Callable[[Tensor], Tensor]) -> list[float]:
    """The accuracies of a module on clean and on attacked images, by plain torch."""
    images, labels = images_and_labels(COUNT)
    right = predictions(module, images) == labels
    attacked = predictions(module, CHECKERS(None, images, labels)) == labels
    return [right.float().mean().item(), (right & attacked).float().mean().item()]


def check_two(first: Build, second: Build, folder: Path, *, resumes: bool = True, **options) -> None:
    """Each gets its own numbers in one store, and the same one again is not computed again.

    Its own numbers are those of plain torch for a module, and of a store of its own for a name.
    """
    own = []
    for number, build in enumerate((first, second)):
        model = build()
        alone = folder / f"alone {number}"
        run = partial(one_by_one, model) if "adapt" in options else model
        own.append(true_numbers(run) if isinstance(model, nn.Module) else measured(model, alone, **options)[0])
    assert own[0] != own[1], "the two must differ for this test to mean anything"
    together = [measured(build(), folder / "shared", **options) for build in (first, second, first)]
    assert together[0][0] == own[0]
    assert together[1][0] == own[1], "the second got other numbers than its own"
    assert together[2][0] == own[0]
    if resumes:
        assert together[2][1] == 0, "the same model was computed again"


UNREADABLE = {"session that cannot be pickled"}
"""Places that nothing can look into: their answers tell them apart, but nobody can call them known."""


@pytest.mark.parametrize("place", PLACES)
def test_a_setting_is_part_of_the_model_wherever_it_is_kept(place: str, tmp_path: Path) -> None:
    build = PLACES[place]
    # Dynamic quantisation scales the activations of a batch together.
    options = {"adapt": ONE_BY_ONE} if place == "dynamic int8" else {}
    check_two(lambda: build(LOW), lambda: build(HIGH), tmp_path, resumes=place not in UNREADABLE, **options)


def test_a_global_of_the_users_module_is_part_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_of_settings, "SHIFT", LOW, raising=False)

    def build(value: float) -> nn.Module:
        monkeypatch.setattr(places_of_settings, "SHIFT", value)
        return places_of_settings.Shifted(lambda module: places_of_settings.SHIFT)

    check_two(lambda: build(LOW), lambda: build(HIGH), tmp_path)


def test_what_a_module_was_changed_to_is_part_of_it(tmp_path: Path) -> None:
    """The same object, evaluated before and after its setting was changed."""
    module = PLACES["dictionary"](LOW)

    def with_shift(value: float) -> nn.Module:
        module.setting["shift"] = value
        return module

    check_two(lambda: with_shift(LOW), lambda: with_shift(HIGH), tmp_path)


NETWORK = """
import importlib, json, os
from pathlib import Path
import torch
from plain_digits import base

HERE = Path(__file__).parent

class Net(torch.nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.body = base()
        self.shift = shift

    def forward(self, images):
        return self.body(images + self.shift())
"""
FACTORIES = {
    "JSON read by the factory, kept in a dictionary": """
def build():
    settings = json.loads((HERE / "setting.txt").read_text())
    net = Net(lambda: net.settings["shift"])
    net.settings = {"shift": settings}
    return net
""",
    "JSON read by the factory, kept in a closure": """
def build():
    shift = json.loads((HERE / "setting.txt").read_text())
    return Net(lambda: shift)
""",
    "file read in forward": """
def build():
    return Net(lambda: float((HERE / "setting.txt").read_text()))
""",
    "environment variable read by the factory": """
def build():
    shift = float(os.environ["SHIFT"])
    return Net(lambda: shift)
""",
    "environment variable read in forward": """
def build():
    return Net(lambda: float(os.environ["SHIFT"]))
""",
    "code imported by importlib": """
def build():
    helper = importlib.import_module("helper_of_shift")
    return Net(lambda: helper.shift())
""",
    "code that is executed": """
def build():
    code = {}
    exec((HERE / "helper_of_shift.py").read_text(), code)
    return Net(code["shift"])
""",
    "constant of the file": """
SHIFT = CONSTANT
def build():
    return Net(lambda: SHIFT)
""",
}


@pytest.mark.parametrize("kind", FACTORIES)
def test_what_a_factory_reads_is_part_of_its_model(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "network_of_mine.py"

    def ready(value: float) -> ModelRequest:
        (tmp_path / "setting.txt").write_text(str(value))
        monkeypatch.setenv("SHIFT", str(value))
        _write(tmp_path / "helper_of_shift.py", f"def shift():\n    return {value}\n")
        file.write_text(NETWORK + FACTORIES[kind].replace("CONSTANT", str(value)))
        monkeypatch.syspath_prepend(str(tmp_path))
        return ModelRequest(name=f"{file}:build", input_size=32)

    check_two(lambda: ready(LOW), lambda: ready(HIGH), tmp_path)


def test_a_factory_that_reads_a_json_file_gives_the_numbers_of_its_setting(tmp_path: Path) -> None:
    """The case as it was reported: the second run printed 100.00 and 76.56, too."""
    file = tmp_path / "network_of_mine.py"
    file.write_text(NETWORK + FACTORIES["JSON read by the factory, kept in a closure"])
    model, found = ModelRequest(name=f"{file}:build", input_size=32), []
    for shift in (0.0, -0.4, 0.0):
        (tmp_path / "setting.txt").write_text(str(shift))
        options = {"attacks": ["pgd(eps=8/255)"], "limit": 64}
        found.append([f"{value:.2%}" for value in measured(model, tmp_path / "store", **options)[0]])
    assert found == [["100.00%", "76.56%"], ["6.25%", "4.69%"], ["100.00%", "76.56%"]]


ATTACK = """
from dataclasses import dataclass
from typing import ClassVar
from robustbench_eff.core.threat import Threat
from helper_of_signs import SIGN

@dataclass(frozen=True, kw_only=True)
class Mine:
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "decisions"
    stochastic: ClassVar[bool] = False
    max_passes: ClassVar[int] = 0
    eps: float = 0.4

    @property
    def threat(self):
        return Threat("linf", self.eps)

    def __call__(self, classifier, images, labels, draws=None):
        return (images + OWN * SIGN * self.eps).clamp(0, 1)
"""


@pytest.mark.parametrize(
    ("kind", "edited"), [("file", "attack"), ("installed", "attack"), ("installed", "a file that it imports")]
)
def test_an_edited_attack_is_another_one_without_a_new_version(
    kind: str, edited: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("site-packages" if kind == "installed" else "mine")
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    _install(monkeypatch, "robustbench_eff.attacks", "acme/mine", "attack_of_acme:Mine")
    name = "acme/mine" if kind == "installed" else f"{folder}/attack_of_acme.py:Mine"

    def ready(sign: int) -> str:
        own, imported = (sign, 1) if edited == "attack" else (1, sign)
        _write(folder / "attack_of_acme.py", ATTACK.replace("OWN", str(own)))
        _write(folder / "helper_of_signs.py", f"SIGN = {imported}\n")
        return "digits_standard"

    check_two(lambda: ready(1), lambda: ready(-1), tmp_path, attacks=[f"{name}(eps=0.4)"])


CORRUPTION = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Brighter:
    severity: int = 1
    stochastic = False

    @property
    def configuration(self):
        return {"corruption": "brighter", "severity": self.severity, "version": 1}

    def __call__(self, pixels, draws=None):
        return (pixels.float() + 255 * AMOUNT).clamp(0, 255).round().to(pixels)
"""


def test_an_edited_corruption_is_another_one_without_a_new_version(tmp_path: Path) -> None:
    from robustbench_eff.core.user_code import load_object

    def corruption(value: float) -> ImageCorruption:
        _write(tmp_path / "corruption_of_mine.py", CORRUPTION.replace("AMOUNT", str(value)))
        return load_object(f"{tmp_path}/corruption_of_mine.py:Brighter", BY_USER)()

    def numbers(value: float, store: str) -> tuple[list[float | None], int]:
        options = {"attacks": [], "corruptions": [corruption(value)]}
        return measured("digits_standard", tmp_path / store, **options)

    alone = [numbers(value, f"alone {value}")[0] for value in (LOW, HIGH)]
    assert alone[0] != alone[1]
    assert [numbers(value, "shared")[0] for value in (LOW, HIGH, LOW)] == [*alone, alone[0]]
    assert numbers(LOW, "shared")[1] == 0


READER = """
from pathlib import Path
import numpy as np
from robustbench_eff.benchmarks.labelled_images import LabelledImages, file_stamp
from robustbench_eff.benchmarks.reader import Reader

def open_them(path, split):
    stored = np.load(path)
    images = (stored["x"].astype(np.float32) + 255 * AMOUNT).clip(0, 255).round().astype(np.uint8)
    return LabelledImages(
        origin=str(path), ids=[str(row) for row in range(len(images))], labels=stored["y"].tolist(),
        read=lambda position: images[position], stamp=file_stamp(path),
    )

THEIRS = Reader(understands=lambda path: path.suffix == ".theirs", open=open_them)
"""


def test_an_edited_reader_reads_other_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = images_and_labels(COUNT)
    with (tmp_path / "images.theirs").open("wb") as file:
        np.savez(file, x=(images * 255).round().byte().permute(0, 2, 3, 1).numpy(), y=labels.numpy())
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    _install(monkeypatch, "robustbench_eff.readers", "acme/theirs", "reader_of_acme:THEIRS")

    def numbers(value: float) -> tuple[list[float | None], int]:
        _write(folder / "reader_of_acme.py", READER.replace("AMOUNT", str(value)))
        data = {"theirs": str(tmp_path / "images.theirs")}
        return measured("digits_standard", tmp_path / "store", benchmark="theirs", data=data)

    own = [(predictions(base(), (images + value).clamp(0, 1)) == labels).float().mean().item() for value in (LOW, HIGH)]
    assert own[0] != own[1]
    assert [numbers(value)[0][0] for value in (LOW, HIGH, LOW)] == [*own, own[0]]
    assert numbers(LOW)[1] == 0


def _write(file: Path, source: str) -> None:
    """Write a module that is imported anew."""
    file.write_text(source)
    sys.modules.pop(file.stem, None)


def _install(monkeypatch: pytest.MonkeyPatch, group: str, name: str, place: str) -> None:
    """As if an installed package had this entry point."""
    groups = {group: {name: Row(place, "plugin")}}
    monkeypatch.setattr(table, "plugins", lambda asked, *_: groups.get(asked, {}))


@pytest.mark.parametrize("together", [True, False])
def test_image_sets_that_share_their_first_image_do_not_divide_a_model(tmp_path: Path, together: bool) -> None:
    pixels, labels = images_and_labels(20)
    for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        (tmp_path / "one" / str(label)).mkdir(parents=True, exist_ok=True)
        levels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        Image.fromarray(levels).save(tmp_path / "one" / str(label) / f"{number:02}.png")
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    second, *_, last = sorted((tmp_path / "other").rglob("*.png"))[1:]
    shutil.copy(last, second)
    places = {name: str(tmp_path / name) for name in ("one", "other")}
    for data in [places] if together else [{name: place} for name, place in places.items()]:
        options = {"benchmarks": list(data), "data": data, "attacks": ["none"], "store": tmp_path / "store"}
        result = evaluate("digits_standard", **options)
        result.check()
        assert not any("another model" in flag for score in result.scores for flag in score.flags)
    assert len({cell.model for cell in Store(tmp_path / "store").cells().values()}) == 1
