"""Square Attack: windows, bumps, acceptance, cost, and parity with the authors' code."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from robustbench_eff.attacks import Oracle, square_search
from robustbench_eff.attacks.losses import margin
from robustbench_eff.attacks.square import Square
from robustbench_eff.attacks.square_moves import move, numbers_per_step, start
from robustbench_eff.attacks.square_windows import two_bumps, window_side
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.errors import SpecError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.threat import Threat, distance
from robustbench_eff.models.classifier import Classifier

BALLS = [Threat("linf", 8 / 255), Threat("l2", 0.5), Threat("l1", 6.0)]
SLOW = pytest.mark.slow
NORMS = [ball.norm for ball in BALLS]


def noise(count: int, channels: int = 3, height: int = 16, width: int = 16) -> torch.Tensor:
    return RandomStreams.of(7, range(count)).uniform((channels, height, width), stream="noise")


def digits(classifier: Classifier, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = prepare(DIGITS, open_digits(), classifier.preprocessing.geometry).batch(0, count)
    with torch.no_grad():
        right = classifier(images).argmax(1) == labels
    return images[right], labels[right]


class Linear(nn.Module):
    """A small network with small margins."""

    def __init__(self, classes: int = 3, features: int = 3 * 16 * 16) -> None:
        super().__init__()
        self.layer = nn.Linear(features, classes)
        draws = RandomStreams.of(1, range(classes))
        with torch.no_grad():
            self.layer.weight.copy_(draws.normal((features,), stream="weight"))
            self.layer.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1))


class Never(Oracle):
    """An oracle that refutes every success and records the lead of the other class."""

    def confirmed(self, images, labels, rows, *, majority=False):
        logits = self._classifier(images)
        lead = logits.amax(1) - logits.gather(1, labels[:, None])[:, 0]
        self.confirmations = [*getattr(self, "confirmations", []), (rows.tolist(), lead.tolist())]
        return torch.zeros_like(labels, dtype=torch.bool)


@pytest.mark.parametrize(
    ("norm", "sides"),
    [("linf", [29, 29, 20, 14, 10, 7, 5, 4, 3, 2, 1]), ("l2", [29, 29, 21, 15, 11, 7, 5, 5, 3, 3, 3])],
)
def test_windows_shrink_at_the_steps_of_the_paper(norm, sides) -> None:
    steps = [0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001]
    assert [window_side(step, 0.8, torch.zeros(1, 3, 32, 32), norm) for step in steps] == sides
    assert window_side(0, 1.0, torch.zeros(1, 3, 4, 40), norm) == 4


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_bumps_are_those_of_the_authors(norm) -> None:
    square = pytest.importorskip("pyautoattack.square")
    reference = square.SquareAttack(None, norm=norm.upper(), device="cpu")
    for side in (1, 2, 3, 4, 6, 7, 11, 21, 29):
        theirs, ours = reference.eta(side), two_bumps(side, norm, torch.zeros(1))
        assert min((ours - theirs).abs().max(), (ours.T - theirs).abs().max()) < 1e-6


def test_a_square_has_one_of_two_values_in_each_channel_and_nothing_else_moves() -> None:
    clean, ball = noise(50), BALLS[0]
    best = start(clean, ball, RandomStreams.of(0, range(50)), 0)
    moved = move(ball, 5, clean)(best, clean, RandomStreams.of(3, range(50)).uniform((5,), stream="numbers"))
    corners = set()
    for image, before, tried in zip(clean, best, moved, strict=True):
        high, low = (image + ball.eps).clamp(0, 1), (image - ball.eps).clamp(0, 1)
        is_high, is_low = torch.isclose(tried, high), torch.isclose(tried, low)
        windows = [
            (top, left)
            for top in range(11)
            for left in range(11)
            if all(
                any(signs[channel, top : top + 5, left : left + 5].all() for signs in (is_high, is_low))
                for channel in range(3)
            )
            and not _outside(tried != before, top, left, 5).any()
        ]
        assert windows
        corners.update(windows)
    assert len(corners) > 30


def _outside(changed: torch.Tensor, top: int, left: int, side: int) -> torch.Tensor:
    rest = changed.clone()
    rest[:, top : top + side, left : left + side] = False
    return rest


@pytest.mark.parametrize("ball", BALLS[1:], ids=NORMS[1:])
@pytest.mark.parametrize("side", [3, 7, 15])
def test_bumps_take_the_perturbation_of_two_windows(ball: Threat, side: int) -> None:
    """The equations of the paper, for one sample and one channel at a time."""
    order = 2 if ball.norm == "l2" else 1
    clean = noise(6) * 0.5 + 0.25
    best = start(clean, ball, RandomStreams.of(0, range(6)), 0)
    numbers = RandomStreams.of(3, range(6)).uniform((8,), stream="numbers")
    expected = []
    for image, before, (top, left, other_top, other_left, turn, *colours) in zip(
        clean, best, numbers.tolist(), strict=True
    ):
        top, left, other_top, other_left = (int(place * (16 - side)) for place in (top, left, other_top, other_left))
        here = (slice(top, top + side), slice(left, left + side))
        there = (slice(other_top, other_top + side), slice(other_left, other_left + side))
        delta = before - image
        unspent = max(ball.eps**order - delta.norm(order).item() ** order, 0)
        bumps = two_bumps(side, ball.norm, clean)
        for channel, colour in enumerate(colours):
            union = torch.zeros(16, 16, dtype=torch.bool)
            union[here] = union[there] = True
            held = delta[channel][union].norm(order) ** order
            old = delta[channel][here].clone()
            fresh = (bumps if turn < 0.5 else bumps.T) * (-1 if colour < 0.5 else 1) + old / old.norm(order)
            length = unspent / 3 + held if order == 2 else unspent + 3 * held
            delta[channel][there] = 0
            delta[channel][here] = fresh / fresh.norm(order) * length ** (1 / order)
        longer = image + delta / delta.norm() * ball.eps if order == 2 else image + delta
        expected.append(ball.project(longer[None], image[None])[0])
    moved = move(ball, side, clean)(best, clean, numbers)
    # In L1 the projection is cut short: it stays in the ball, a little off the nearest point.
    tolerance = 1e-5 if order == 2 else 0.1 * ball.eps
    assert distance(moved, torch.stack(expected), ball.norm).max() < tolerance
    assert distance(moved, torch.stack(expected), ball.norm).median() < tolerance / 10


@pytest.mark.parametrize("ball", BALLS, ids=NORMS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 9, 14), (3, 2, 2), (2, 23, 11)])
def test_every_queried_image_lies_in_the_ball_and_in_the_box(ball: Threat, shape: tuple[int, ...]) -> None:
    clean, draws = noise(20, *shape), RandomStreams.of(0, range(20))
    best = start(clean, ball, draws, 0)
    assert ball.excess(best, clean).max() <= 1e-6
    for step in (0, 40, 300, 3000):
        numbers = draws.uniform((numbers_per_step(ball, shape[0]),), stream="numbers", step=step)
        best = move(ball, window_side(step, 0.8, clean, ball.norm), clean)(best, clean, numbers)
        assert ball.excess(best, clean).max() <= 1e-6
        if shape == (3, 32, 32):  # far from the box, all of eps is used
            assert (distance(best, clean, ball.norm) > 0.7 * ball.eps).all()


def test_the_start_is_striped() -> None:
    clean = torch.full((40, 3, 8, 8), 0.5)
    sign = (start(clean, BALLS[0], RandomStreams.of(0, range(40)), 0) - clean).sign()
    assert torch.equal(sign, sign[:, :, :1].expand_as(sign))
    assert 0.4 < (sign > 0).float().mean() < 0.6


def test_only_images_with_a_smaller_margin_are_confirmed() -> None:
    images = noise(8)
    model = Linear().eval()
    labels = model(images).argmax(1)
    oracle = Never(model)
    attack = Square(eps=0.3, queries=300)
    assert torch.equal(attack(oracle, images, labels), images)
    assert (oracle.effort.num_forwards == 300).all()  # nobody was confirmed, nobody left
    lead: dict[int, float] = {}
    for rows, margins in oracle.confirmations:
        for row, value in zip(rows, margins, strict=True):
            assert value > lead.get(row, -1.0)
            lead[row] = value
    assert sum(len(rows) for rows, _ in oracle.confirmations) > 2 * len(lead) > 8


@pytest.mark.parametrize("ball", [Threat("linf", 44 / 255), Threat("l2", 6.0), Threat("l1", 70.0)], ids=NORMS)
def test_outcomes_do_not_depend_on_the_batch(digits_standard: Classifier, ball: Threat) -> None:
    images, labels = digits(digits_standard, 16)
    draws = RandomStreams.of(5, range(len(images)))
    attack = Square(eps=ball.eps, norm=ball.norm, queries=80)
    together = attack(digits_standard, images, labels, draws)
    assert 0 < (together != images).flatten(1).any(1).sum() < len(images)
    parts = torch.arange(len(images)).split(7)
    apart = torch.cat([attack(digits_standard, images[part], labels[part], draws[part]) for part in parts])
    assert (together - apart).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("ball", "early_stop"), [(BALLS[0], True), (BALLS[0], False), (BALLS[1], True)], ids=["linf", "to the end", "l2"]
)
def test_steps_tried_ahead_change_no_image_and_no_count(digits_standard, monkeypatch, ball: Threat, early_stop) -> None:
    images, labels = digits(digits_standard, 4)
    passes: list[int] = []

    class Counted(Oracle):
        def logits(self, images, rows):
            passes.append(len(images))
            return super().logits(images, rows)

    found = []
    for ahead in (0.0, 0.25, 3.0):
        monkeypatch.setattr(square_search, "STEPS_AHEAD", ahead)
        passes.clear()
        oracle = Counted(digits_standard, batch_size=64)
        attack = Square(eps=ball.eps, norm=ball.norm, queries=500, early_stop=early_stop)
        found.append((attack(oracle, images, labels), oracle.effort.num_forwards, len(passes), sum(passes)))
    alone, *others = found
    assert alone[3] == alone[1].sum(), "one query at a time, each of them counted"
    for images_found, counts, steps, queries in others:
        assert torch.allclose(images_found, alone[0], atol=1e-6)
        assert torch.equal(counts, alone[1])
        assert steps < 0.75 * alone[2]
        assert queries > alone[3], "some were made in vain"
    assert others[0][3] < 1.3 * alone[3]


def test_without_early_stop_every_query_lowers_the_margin_further(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 24)

    def reached(queries: int, restarts: int = 1, early_stop: bool = False) -> Tensor:
        oracle = Oracle(digits_standard)
        attack = Square(eps=44 / 255, queries=queries, restarts=restarts, early_stop=early_stop)
        adversarial = attack(oracle, images, labels)
        if not early_stop:
            assert (oracle.effort.num_forwards == queries * restarts).all()
        with torch.no_grad():
            return margin(digits_standard(adversarial), labels)

    few, many, again = reached(40), reached(120), reached(40, restarts=2)
    assert (many <= few).all()
    assert (many < few).any()
    assert (again <= few).all()
    assert (again < few).any()
    stopped = reached(120, early_stop=True)
    assert torch.equal(stopped <= 0, many <= 0), "the same samples are broken"
    assert many[many <= 0].mean() < stopped[many <= 0].mean()


def test_more_queries_and_restarts_break_more_samples(digits_standard: Classifier) -> None:
    images, labels = digits(digits_standard, 30)
    broken = []
    for queries, restarts in ((1, 1), (30, 1), (30, 3), (120, 1)):
        oracle = Oracle(digits_standard)
        attack = Square(eps=44 / 255, queries=queries, restarts=restarts)
        adversarial = attack(oracle, images, labels)
        with torch.no_grad():
            won = digits_standard(adversarial).argmax(1) != labels
        assert torch.equal(won, (adversarial != images).flatten(1).any(1))
        assert (oracle.effort.num_forwards[~won] == attack.max_passes).all()
        assert (oracle.effort.num_forwards <= attack.max_passes).all()
        assert (oracle.effort.num_backwards == 0).all()
        broken.append(won)
    assert [won.sum() for won in broken] == sorted(won.sum() for won in broken)
    assert broken[0].sum() < broken[1].sum() < broken[3].sum()
    assert not (broken[1] & ~broken[2]).any()
    assert broken[1].sum() < broken[2].sum()


@pytest.mark.parametrize("classes", [2, 1000])
def test_models_with_few_or_many_classes_can_be_attacked(classes: int) -> None:
    model, images = Linear(classes).eval(), noise(4)
    labels = model(images).argmax(1)
    for ball in BALLS:
        adversarial = Square(eps=ball.eps, norm=ball.norm, queries=30)(model, images, labels)
        assert ball.excess(adversarial, images).max() <= 1e-6


@pytest.mark.parametrize(
    ("norm", "eps"), [("linf", 44 / 255), pytest.param("l2", 6.0, marks=SLOW), pytest.param("l1", 70.0, marks=SLOW)]
)
def test_as_many_samples_are_broken_as_by_the_authors_code(digits_standard: Classifier, norm, eps: float) -> None:
    square = pytest.importorskip("pyautoattack.square")
    """On average over four searches each."""
    images, labels = digits(digits_standard, 48)
    found = torch.zeros(2, 4)
    for seed in range(4):
        reference = square.SquareAttack(
            digits_standard, norm.replace("l", "L"), 70, eps, seed=seed, device="cpu", resc_schedule=False
        )
        theirs = reference.perturb(images.clone(), labels)
        draws = RandomStreams.of(seed, range(len(images)))
        ours = Square(eps=eps, norm=norm, queries=71)(digits_standard, images, labels, draws)
        with torch.no_grad():
            broken = [digits_standard(each).argmax(1) != labels for each in (ours, theirs)]
        found[:, seed] = torch.stack(broken).double().mean(1)
    ours_mean, theirs_mean = found.mean(1)
    assert 0.15 < theirs_mean < 0.85
    assert abs(ours_mean - theirs_mean) <= 0.1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"queries": 0}, "queries and restarts must be >= 1"),
        ({"p_init": 0.0}, r"p_init must be in \(0, 1\]"),
        ({"eps": 8.0}, "Did you mean 8/255"),
    ],
)
def test_impossible_fields_are_refused(fields, message) -> None:
    with pytest.raises(SpecError, match=message):
        Square(**fields)
