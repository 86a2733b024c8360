"""The one-pixel attack: survivors, cost, and parity with scipy's differential evolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.attacks import Oracle, one_pixel
from robustbench_eff.attacks.one_pixel import OnePixel
from robustbench_eff.attacks.one_pixel_population import corner_genes
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.models.classifier import Classifier


class Needle(nn.Module):
    """Predicts class 1 if one particular pixel is almost white; closer and brighter changes score higher."""

    def __init__(self, row: int = 11, column: int = 5, level: float = 9.9) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
        self.level, self.weight = level, 10 - ((rows - row) ** 2 + (columns - column) ** 2).sqrt()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        brightest = (images.mean(1) * self.weight).flatten(1).amax(1)
        return torch.stack((torch.full_like(brightest, self.level), brightest, brightest - 5), 1)


class Never(nn.Module):
    """Always predicts class 0, and records the images."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.classes, self.seen = classes, []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.clone())
        return 2 * torch.eye(self.classes)[:1].repeat(len(images), 1) + 0 * images.flatten(1)[:, :1]


def grey(count: int, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((count, 3, size, size), 0.1), torch.zeros(count, dtype=torch.int64)


def digits(classifier: Classifier, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, count)
    with torch.no_grad():
        right = classifier(images).argmax(1) == labels
    return images[right], labels[right]


def test_evolution_finds_what_the_first_generation_misses() -> None:
    images, labels = grey(8)
    model = Needle().eval()
    few = OnePixel(population=50, generations=1)(model, images, labels)
    assert torch.equal(few, images)
    attack = OnePixel(population=50, generations=60)
    oracle = Oracle(model)
    found = attack(oracle, images, labels)
    assert (model(found).argmax(1) == 1).all()
    assert (oracle.effort.num_forwards < attack.max_passes).all()
    changed = (found != images).any(1)
    assert (changed.flatten(1).sum(1) == 1).all()
    assert changed[:, 11, 5].all()


def test_each_target_has_its_own_population() -> None:
    images, labels = grey(3)
    oracle = Oracle(Needle().eval())
    attack = OnePixel(population=40, generations=60, targets=9)
    assert (oracle(attack(oracle, images, labels)).argmax(1) == 1).all()
    assert oracle.effort.notes == ["one-pixel used 2 instead of 9 targets: the model has 3 classes"]
    model = Never(4).eval()
    oracle = Oracle(model)
    OnePixel(population=6, generations=3, targets=2)(oracle, images, labels)
    asked = oracle.effort.num_forwards
    assert (asked <= 1 + 2 * 6 * 4).all()  # fewer where two members are the same image
    assert (asked > 1 + 2 * 6 * 3).all()
    assert OnePixel(population=6, generations=3, targets=2).max_passes == 49
    firsts = torch.cat(model.seen[2:])[: 3 * 2 * 6]  # after the clean logits and the number of classes
    assert len(firsts.flatten(1).unique(dim=0)) > 30


@pytest.mark.parametrize("targets", [0, 2])
def test_the_number_of_candidates_per_query_changes_nothing(monkeypatch, targets: int) -> None:
    images, labels = grey(5)
    images = images + 0.05 * RandomStreams.of(0, range(5)).uniform((3, 16, 16), stream="noise")
    attack = OnePixel(population=30, generations=25, targets=targets)
    answers, spent = [], []
    for at_once in (1, 37, 4096):
        monkeypatch.setattr(one_pixel, "MAX_CANDIDATES", at_once)
        oracle = Oracle(Needle().eval())
        answers.append(attack(oracle, images, labels))
        spent.append(oracle.effort.num_forwards)
    assert not torch.equal(answers[0], images)
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])
    assert torch.equal(spent[0], spent[1])
    assert torch.equal(spent[0], spent[2])


def test_misclassified_samples_leave_in_the_middle_of_a_generation(monkeypatch) -> None:
    images, labels = grey(5)
    attack = OnePixel(population=30, generations=25)
    spent = []
    for brood in (30, 7):
        monkeypatch.setattr(one_pixel, "CHILDREN_PER_QUERY", brood)
        oracle = Oracle(Needle().eval())
        attack(oracle, images, labels)
        spent.append(oracle.effort.num_forwards)
    assert (spent[1] <= spent[0]).all()
    assert (spent[1] < spent[0]).any()


def test_corners_are_every_extreme_color_at_every_position_once(monkeypatch) -> None:
    monkeypatch.setattr(one_pixel, "CHILDREN_PER_QUERY", 192)
    images, labels = torch.full((2, 3, 4, 6), 0.5), torch.zeros(2, dtype=torch.int64)
    model = Never().eval()
    oracle = Oracle(model)
    attack = OnePixel(population=64, generations=5, search="corners")
    attack(oracle, images, labels)
    seen = torch.cat(model.seen)[: 2 * 192].view(2, 192, 3, 4, 6).transpose(0, 1)
    for sample in range(2):
        assert len(seen[:, sample].flatten(1).unique(dim=0)) == 192
        assert ((seen[:, sample] != 0.5).any(1).sum((1, 2)) == 1).all()
        assert set(seen[:, sample].unique().tolist()) == {0.0, 0.5, 1.0}
    assert not torch.equal(seen[:, 0], seen[:, 1])
    # 192 corners stand for 3 of 5 generations; a first one and 2 more follow, some of them known corners.
    assert (oracle.effort.num_forwards <= 192 + 3 * 64).all()
    assert (oracle.effort.num_forwards > 192 + 2 * 64).all()
    assert attack.max_passes == 64 * 6
    short = OnePixel(population=50, generations=2, search="corners")
    short(oracle, images, labels)
    assert ((oracle.effort.num_forwards > 100) & (oracle.effort.num_forwards <= 150)).all()
    assert corner_genes(torch.tensor([[191]]), images).flatten().tolist() == [3.0, 5.0, 1.0, 1.0, 1.0]


def test_no_image_is_queried_twice_within_a_few_generations(monkeypatch) -> None:
    """Four positions and mostly extreme colors, so a population soon contains equal images."""
    images, labels = torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, dtype=torch.int64)

    def search(memory: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        monkeypatch.setattr(one_pixel, "GENERATIONS_REMEMBERED", memory)
        model = Needle(1, 1, level=11).eval()  # out of reach
        model.weight = model.weight[:2, :2]
        oracle, seen = Oracle(model), []
        model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        found = OnePixel(population=20, generations=40)(oracle, images, labels)
        asked = torch.cat(seen).flatten(1)
        return found, oracle.effort.num_forwards, len(asked) - len(asked.unique(dim=0))

    found, spent, twice = search(memory=41)
    assert twice == 0
    forgetful, more, some = search(memory=0)
    assert torch.equal(found, forgetful)
    assert (spent < more).all()
    assert some > 0


def test_odds_distinguish_probabilities_that_round_to_one() -> None:
    logits = torch.tensor([[30.0, 0.0, 1.0], [30.0, 0.0, 2.0], [0.3, 0.2, -1.0]])
    classes = torch.zeros(3, dtype=torch.int64)
    odds = one_pixel._log_odds(logits, classes)
    probability = logits.double().softmax(1)[:, 0]
    assert torch.allclose(odds.double(), (probability / (1 - probability)).log(), atol=1e-4)
    assert logits.softmax(1)[0, 0] == logits.softmax(1)[1, 0]
    assert odds[0] > odds[1]


def test_more_pixels_break_more_samples(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 8)
    broken = []
    for pixels in (1, 150):
        attack = OnePixel(pixels=pixels, population=30, generations=4)
        adversarial = attack(digits_standard, images, labels)
        assert attack.threat.excess(adversarial, images).max() == 0
        with torch.no_grad():
            broken.append(int((digits_standard(adversarial).argmax(1) != labels).sum()))
    assert broken[0] == 0
    assert broken[1] > 0


@pytest.mark.parametrize("classes", [2, 1000])
def test_models_with_few_or_many_classes_can_be_attacked(classes: int) -> None:
    images, labels = grey(2, 8)
    oracle = Oracle(Never(classes).eval())
    for targets in (0, 9):
        attack = OnePixel(population=5, generations=2, targets=targets)
        assert torch.equal(attack(oracle, images, labels), images)
        assert (oracle.effort.num_forwards <= attack.max_passes).all()


def test_at_least_as_many_samples_are_broken_as_by_scipys_evolution() -> None:
    """SciPy redraws values outside the bounds, so it seldom finds an extreme color."""
    optimize = pytest.importorskip("scipy.optimize")
    import numpy as np

    draws = RandomStreams.of(3, range(12))
    images = 0.3 * draws.uniform((3, 16, 16), stream="noise")
    labels, generations = torch.zeros(12, dtype=torch.int64), 20
    models = [Needle(int(row), int(column), 9.0).eval() for row, column in draws.uniform((2,), stream="needle") * 16]

    def theirs(number: int) -> bool:
        model, image, random = models[number], images[number], np.random.default_rng(number)

        def odds(genes):
            rows, columns = (np.minimum(genes[place].astype(int), 15) for place in (0, 1))
            candidates = image.repeat(genes.shape[1], 1, 1, 1)
            colours = torch.from_numpy(np.round(genes[2:].T) / 255).float()
            candidates[torch.arange(len(candidates)), :, torch.from_numpy(rows), torch.from_numpy(columns)] = colours
            return one_pixel._log_odds(model(candidates), torch.zeros(len(candidates)).long()).double().numpy()

        colours = np.clip(random.normal(128, 127, (40, 3)), 0, 255)
        best = optimize.differential_evolution(
            odds,
            [(0, 16)] * 2 + [(0, 255)] * 3,
            strategy="rand1bin",
            recombination=1,
            mutation=0.5,
            maxiter=generations,
            init=np.concatenate([random.uniform(0, 16, (40, 2)), colours], 1),
            polish=False,
            updating="deferred",
            vectorized=True,
            tol=0,
            rng=random,
        )
        return bool(best.fun <= np.log(1 / (1 + np.exp(-5))))

    ours = [
        bool(
            (
                OnePixel(population=40, generations=generations)(
                    model, images[number : number + 1], labels[:1], draws[torch.tensor([number])]
                )
                != images[number : number + 1]
            ).any()
        )
        for number, model in enumerate(models)
    ]
    expected = [theirs(number) for number in range(12)]
    assert 2 <= sum(expected) <= 11
    assert sum(expected) <= sum(ours)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"population": 3}, "population must be >= 4"),
        ({"pixels": 0}, "number of pixels >= 1"),
        ({"generations": 0}, "generations must be >= 1"),
        ({"mutation": 0.0}, r"mutation must be in \(0, 2\]"),
        ({"pixels": 2, "search": "corners"}, "search=corners requires pixels=1"),
    ],
)
def test_impossible_fields_are_refused(fields, message) -> None:
    with pytest.raises(SpecError, match=message):
        OnePixel(**fields)
