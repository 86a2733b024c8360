"""From words to a folder that an evaluation takes for a model; bad words before any work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, get_type_hints

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from PIL import Image
from typer.testing import CliRunner

from robustbench_eff import TrainSettings, evaluate, load_classifier, train
from robustbench_eff.cli.main import app
from robustbench_eff.core.activations import nonsmooth_ops
from robustbench_eff.core.errors import MissingInputs, RobustEvalError, UsageError
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.defenses.network import Network
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.training_batch import Batch
from robustbench_eff.models.card import Card
from robustbench_eff.registry import build_defense, plugins
from robustbench_eff.testing import DEFENSE_CHECKS
from robustbench_eff.training.data import open_training_data
from robustbench_eff.training.settings import TrainOptions

GEOMETRY = Geometry(size=32, mode="none")
SHORT = {"arch": "small_cnn(width=4)", "limit": 64, "schedule": "epochs=1, batch_size=32"}


def settings(out: Path, **options) -> TrainSettings:
    return TrainSettings(out=out, **{**SHORT, **options})


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of three classes, of which the first channel tells."""
    path = tmp_path_factory.mktemp("images") / "mine.npz"
    labels = np.arange(60) % 3
    x = np.random.default_rng(0).integers(0, 60, (60, 32, 32, 3), dtype=np.uint8)
    x[..., 0] += (labels * 90).astype(np.uint8)[:, None, None]
    np.savez(path, x=x, y=labels)
    return path


def test_a_trained_folder_is_a_model_like_any_other(tmp_path: Path) -> None:
    card = train(settings(tmp_path / "mine", defense="sat(activation=gelu)", limit=None, schedule="epochs=3"))
    assert card == Card.read(tmp_path / "mine" / "model.json")
    assert card.activation == "gelu" and card.label_space == "digits" and len(card.epochs) == 3
    assert card.passes_per_sample == pytest.approx(3 * 1024 * 4 / 1078, abs=1e-3)
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "made-from.json",
        "model.json",
        "model.safetensors",
    }
    classifier = load_classifier(str(tmp_path / "mine"))
    assert classifier.num_classes == 10 and not nonsmooth_ops(classifier.model, torch.rand(1, 3, 32, 32))
    scores = evaluate(str(tmp_path / "mine"), attacks=["none"], store=tmp_path / "store").scores
    accuracy = next(score.value for score in scores if score.metric == "accuracy")
    held_out = next(iter(card.accuracy.values()))
    assert accuracy == pytest.approx(held_out, abs=0.1)


def test_the_same_command_finds_the_training_finished_and_another_is_refused(tmp_path: Path) -> None:
    first = train(settings(tmp_path / "mine"))
    weights = tmp_path / "mine" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert train(settings(tmp_path / "mine")) == first and weights.stat().st_mtime_ns == before
    for other in ({"seed": 1}, {"defense": "mixup"}, {"limit": 32}, {"schedule": "epochs=2, batch_size=32"}):
        with pytest.raises(UsageError, match="was written from something else"):
            train(settings(tmp_path / "mine", **other))


def test_seeds_differ_from_the_first_weight_on(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        train(settings(tmp_path / str(seed), seed=seed))
        found.append((tmp_path / str(seed) / "model.safetensors").read_bytes())
    assert found[0] != found[1]


def test_a_budget_is_spent_alike_by_every_defense(tmp_path: Path) -> None:
    for name in ("standard", "pgd_at(steps=2)", "augmix", "noisy_student(threshold=0)"):
        card = train(settings(tmp_path / name, defense=name, passes_per_image=24, schedule="batch_size=32"))
        assert card.passes_per_sample == pytest.approx(24, abs=1.1), name


def test_a_noisy_student_is_taught_by_a_teacher_that_is_trained_first(tmp_path: Path) -> None:
    told: list[str] = []
    recipe = "noisy_student(iterations=2, threshold=0.0)"
    plan = settings(tmp_path / "mine", defense=recipe)
    train(plan, lambda name, epoch, total: told.append(name))
    assert told == ["teacher: ", "student 1: ", "student 2: "]
    told.clear()
    named = settings(tmp_path / "named", defense="noisy_student(teacher=digits_standard)")
    card = train(named, lambda name, epoch, total: told.append(name))
    assert told == ["student 1: "] and "training images themselves" in card.notes[0]


def test_a_teacher_labels_other_images_whatever_their_labels_say(images: Path, tmp_path: Path) -> None:
    plan = {"benchmark": "mine", "data": {"mine": str(images)}, "schedule": "epochs=2, batch_size=16", "limit": 40}
    with np.load(images) as arrays:
        np.savez(tmp_path / "other.npz", x=255 - arrays["x"], y=np.full(60, 9))
    noisy = settings(
        tmp_path / "n", defense="noisy_student(threshold=0)", unlabelled=str(tmp_path / "other.npz"), **plan
    )
    card = train(noisy)
    assert card.num_classes == 3 and "60 other images" in card.notes[0]
    with pytest.raises(UsageError, match="does not use unlabelled"):
        train(settings(tmp_path / "s", unlabelled=str(images), **plan))


def test_images_of_ones_own_are_trained_on_and_one_in_ten_held_out(images: Path, tmp_path: Path) -> None:
    card = train(
        TrainSettings(
            out=tmp_path / "mine",
            arch="small_cnn(width=4)",
            benchmark="mine",
            data={"mine": str(images)},
            schedule="epochs=8, batch_size=16",
        )
    )
    assert card.num_classes == 3 and card.label_space == "custom:mine"
    data = open_training_data("mine", {"mine": str(images)}, None, GEOMETRY)
    assert len(data.images) + len(data.held_out) == 60 and 0 < len(data.held_out) < 20
    assert not set(data.images.sample_ids) & set(data.held_out.sample_ids)
    scores = evaluate(
        str(tmp_path / "mine"),
        benchmarks=["mine"],
        data={"mine": str(images)},
        attacks=["none"],
        store=tmp_path / "store",
    ).scores
    assert next(score.value for score in scores if score.metric == "accuracy") > 0.5


def test_digits_are_trained_and_looked_at_on_their_own_splits(images: Path) -> None:
    data = open_training_data("digits", {}, None, GEOMETRY)
    assert (len(data.images), len(data.held_out)) == (1078, 359)
    test = open_training_data("digits", {}, None, GEOMETRY, limit=100)
    assert len(test.images) == 100 and set(test.images.sample_ids) < set(data.images.sample_ids)
    given = open_training_data("mine", {"mine": str(images)}, str(images), GEOMETRY)
    assert len(given.images) == len(given.held_out) == 60


def test_effnet_micro_trains_with_auxiliary_norms(tmp_path: Path) -> None:
    card = train(settings(tmp_path / "mine", arch="effnet_micro(width=8)", defense="advprop(steps=1)"))
    assert card.activation is None and load_classifier(str(tmp_path / "mine")).num_classes == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"defense": "pgdat"}, "Did you mean 'pgd_at'"),
        ({"arch": "smal_cnn"}, "Did you mean 'small_cnn'"),
        ({"arch": "small_cnn(widht=3)"}, "cannot be built"),
        ({"arch": "nothing.py:build"}, "does not exist"),
        ({"arch": "timm:resnet19"}, "timm does not have a model"),
        ({"schedule": "epoch=1"}, "Did you mean 'epochs'"),
        ({"schedule": "batch_size=640"}, "64 images for batches of 640"),
        ({"passes_per_image": 10.0}, "Give one of them"),
        ({"validation_attack": "fmn"}, "cannot be used for validation"),
        ({"validation_attack": "pdg"}, "Did you mean 'pgd'"),
        ({"benchmark": "digits-cue-conflict"}, "for testing only"),
        ({"benchmark": "cifar10"}, "--data cifar10=PATH"),
        ({"defense": "distillation(teacher=nobody)"}, "Unknown model 'nobody'"),
        ({"defense": "distillation(teacher='timm:resnet18')"}, "weights of timm:resnet18|wants images of 224"),
        ({"defense": "debiased(styliser=randomphase)"}, "Did you mean 'random_phase'"),
        ({"defense": "advprop", "arch": "torchvision:vgg11"}, "no batch norms"),
        ({"defense": "sat", "arch": "effnet_micro"}, "not contain an activation with a kink"),
        ({"defense": "sat(where=backward)", "arch": "effnet_micro"}, "networks of ReLU"),
        ({"defense": "sat(where=backward)", "arch": "timm:mobilenetv3_small_050"}, "other kinks"),
        ({"arch": "timm:vit_tiny_patch16_224"}, "fails on images of 32 pixels"),
        ({"arch": "small_cnn(num_classes=5)"}, "one logit for each"),
        ({"validation": "/nowhere"}, "its own validation images"),
        ({"passes_per_image": float("inf"), "schedule": ""}, "passes_per_image must be > 0"),
        ({"schedule": "epochs=1e400"}, "a number is too large"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(RobustEvalError, match=words):
        train(settings(tmp_path / "mine", **options))
    assert not (tmp_path / "mine").exists()


def test_a_teacher_of_other_classes_is_refused(images: Path, tmp_path: Path) -> None:
    plan = {"benchmark": "mine", "data": {"mine": str(images)}, "limit": 40}
    with pytest.raises(UsageError, match="knows 10 classes of digits; mine has 3"):
        train(settings(tmp_path / "mine", defense="distillation", **plan))


def test_names_of_classes_must_be_the_same_where_nobody_else_knows_them(tmp_path: Path) -> None:
    for folder, names in (("train", ("ant", "bee", "cat")), ("held", ("ant", "cat"))):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / folder / name / "one.png")
    with pytest.raises(RobustEvalError, match="'bee' is a class of only one"):
        open_training_data("mine", {"mine": str(tmp_path / "train")}, str(tmp_path / "held"), GEOMETRY)


def test_a_folder_cannot_have_the_name_of_a_model() -> None:
    with pytest.raises(UsageError, match="is the name of a model"):
        train(settings(Path("digits_standard")))


def test_a_network_of_ones_own_with_shared_weights_is_trained_and_saved(tmp_path: Path) -> None:
    (tmp_path / "own net.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = torch.nn.Linear(3072, 10)\n        self.b = self.a\n"
        "    def forward(self, x):\n        return self.a(x.flatten(1)) + self.b(x.flatten(1))\n"
    )
    train(settings(tmp_path / "mine", arch=f"{tmp_path / 'own net.py'}:Net", schedule="epochs=1, batch_size=32"))
    assert load_classifier(str(tmp_path / "mine"), trust_code=True).num_classes == 10


def test_images_of_another_size_are_refused_in_words(images: Path, tmp_path: Path) -> None:
    with pytest.raises(RobustEvalError, match="32"):
        train(settings(tmp_path / "mine", benchmark="mine", data={"mine": str(images)}, input_size=28))


def test_an_unfinished_folder_is_missing_its_weights(tmp_path: Path) -> None:
    train(settings(tmp_path / "mine"))
    (tmp_path / "mine" / "model.json").rename(tmp_path / "mine" / "training-0.pt")
    with pytest.raises(MissingInputs, match="repeat the command that trains"):
        evaluate(str(tmp_path / "mine"), store=tmp_path / "store")
    (tmp_path / "mine" / "model.json").write_text("{}")
    with pytest.raises(RobustEvalError, match="is not the card of a trained network"):
        load_classifier(str(tmp_path / "mine"))


def test_the_command_says_how_it_goes_and_what_to_do_next(tmp_path: Path) -> None:
    words = ["train", "--out", str(tmp_path / "mine"), "--arch", "small_cnn(width=4)", "--limit", "64"]
    done = CliRunner().invoke(app, [*words, "--schedule", "epochs=2, batch_size=32", "--defense", "fast"])
    assert done.exit_code == 0, done.output
    assert "epoch 2 of 2 · loss" in done.stderr and "attacked" in done.stderr
    assert f"robust-eval --model {tmp_path / 'mine'}" in done.stdout.replace("\n", "")
    assert json.loads((tmp_path / "mine" / "model.json").read_text())["defense"] == "fast(eps=4/255)"
    assert "assumed: fast with eps=4/255, digits has no usual radius" in done.stderr
    wrong = CliRunner().invoke(app, [*words, "--data", "cifar10=x"])
    assert wrong.exit_code == 2 and "--benchmark is digits" in wrong.stderr


def test_the_keyword_arguments_of_train_are_the_fields_of_its_settings() -> None:
    hints = get_type_hints(TrainSettings)
    assert get_type_hints(TrainOptions) == {
        field.name: hints[field.name] for field in dataclasses.fields(TrainSettings) if field.name != "named_in"
    }


def test_train_takes_its_settings_as_keyword_arguments(tmp_path: Path) -> None:
    card = train(out=tmp_path / "mine", **SHORT)
    assert train(settings(tmp_path / "mine")) == card
    with pytest.raises(UsageError, match="Give settings or seed, not both"):
        train(settings(tmp_path / "mine"), seed=1)
    with pytest.raises(UsageError, match=r"Pass out=Path"):
        train(seed=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Halved(Recipe):
    """Cross-entropy of half the logits."""

    version: ClassVar[int] = 1

    factor: float = 0.5

    @property
    def passes(self) -> float:
        return 2

    def losses(self, network: Network, batch: Batch) -> Iterator[torch.Tensor]:
        yield functional.cross_entropy(self.factor * network(batch.images), batch.targets)


def test_a_recipe_of_ones_own_is_trained_without_a_name(tmp_path: Path) -> None:
    card = train(out=tmp_path / "mine", defense=Halved(factor=0.25), **SHORT)
    assert card.defense == f"{__name__}:Halved(factor=0.25)" and card.recipe == {"factor": 0.25}
    with pytest.raises(UsageError, match="was written from something else"):
        train(out=tmp_path / "mine", defense=Halved(), **SHORT)
    by_name, by_object = (
        train(out=tmp_path / folder, defense=defense, **SHORT)
        for folder, defense in (("a", "mixup(alpha=1)"), ("b", build_defense.defense("mixup(alpha=1)")))
    )
    assert by_name.defense == by_object.defense == "mixup(alpha=1.0)"
    weights = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("a", "b")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("defense", [3, Halved, object()])
def test_what_is_not_a_recipe_is_refused(tmp_path: Path, defense: object) -> None:
    with pytest.raises(UsageError, match="must be the text of a recipe or a recipe"):
        settings(tmp_path / "mine", defense=defense)


PLUGIN = '''
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch.nn.functional as functional

from robustbench_eff.defenses.recipe import Recipe, Requirements, Stage
from robustbench_eff.defenses.standard import Standard


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpened(Recipe):
    """A student of its own sharpened predictions. Source: this test. Differs: nothing."""

    version: ClassVar[int] = 1

    power: float = 2.0

    @property
    def passes(self) -> float:
        return 2

    @property
    def requirements(self) -> Requirements:
        return Requirements(unlabelled=True)

    def stages(self) -> tuple[Stage, ...]:
        first = Stage(recipe=Standard(), name="first: ")
        return first, Stage(recipe=self, name="second: ", build_samples=self.sharpened)

    def sharpened(self, labelled, unlabelled, probabilities, label_smoothing):
        powers = probabilities**self.power
        return replace(unlabelled, targets=powers / powers.sum(1, keepdim=True))

    def losses(self, network, batch) -> Iterator:
        yield functional.cross_entropy(network(batch.images), batch.targets)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An installed package with a recipe of two stages."""
    site = tmp_path / "site"
    (site / "vendor-1.0.dist-info").mkdir(parents=True)
    (site / "vendor_recipes.py").write_text(PLUGIN)
    (site / "vendor-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vendor\nVersion: 1.0\n")
    (site / "vendor-1.0.dist-info" / "entry_points.txt").write_text(
        "[robustbench_eff.defenses]\nvendor/sharpened = vendor_recipes:Sharpened\n"
    )
    monkeypatch.syspath_prepend(site)
    plugins.plugins.cache_clear()
    yield "vendor/sharpened"
    plugins.plugins.cache_clear()


def test_a_plugins_recipe_declares_its_stages_and_is_trained_by_name(plugin: str, tmp_path: Path) -> None:
    told: list[str] = []
    budget = {**SHORT, "schedule": "batch_size=32", "passes_per_image": 10.0}
    card = train(
        out=tmp_path / "mine",
        defense=f"{plugin}(power=3)",
        on_epoch=lambda name, epoch, total: told.append(name),
        **budget,
    )
    assert list(dict.fromkeys(told)) == ["first: ", "second: "]
    assert card.defense == "vendor/sharpened(power=3.0)" and "training images themselves" in card.notes[0]
    assert card.passes_per_sample == pytest.approx(10 + 1, abs=1.1)
    recipe = build_defense.defense(plugin)
    assert build_defense.defense_text(recipe) == "vendor/sharpened(power=2.0)"
    for check in DEFENSE_CHECKS:
        check(type(recipe))
