"""The losses of recipes against the formulas of their papers, written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional

from robustbench_eff.defenses.adversarial import AdversarialTraining
from robustbench_eff.defenses.augmix import AugMix, jensen_shannon
from robustbench_eff.defenses.cutmix import CutMix
from robustbench_eff.defenses.debiased import Debiased, two_hot
from robustbench_eff.defenses.distillation import Distillation
from robustbench_eff.defenses.fast import Fast
from robustbench_eff.defenses.free import Free, WithPerturbation
from robustbench_eff.defenses.mixup import Mixup
from robustbench_eff.defenses.policies import augmented, policy
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.tampering import Tampering
from robustbench_eff.defenses.trades import Trades
from trainings import a_batch, network, small_net

EPS = 8 / 255


class Seen:
    """What a network got, in pixels, and in which mode it was."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.images: list[torch.Tensor] = []
        self.training: list[bool] = []
        module.register_forward_pre_hook(self._note)

    def _note(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.images.append(inputs[0].detach() * 0.5 + 0.5)
        self.training.append(module.training)


def run(recipe: Recipe, **dependencies):
    module = small_net()
    seen, batch = Seen(module), a_batch()
    (loss,) = list(recipe.losses(network(recipe.prepare(module), **dependencies), batch))
    return loss, seen, batch


def plain_logits(images: torch.Tensor) -> torch.Tensor:
    return small_net().train()((images - 0.5) / 0.5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_adversarial_training_is_plain_autograd_pgd_in_eval_mode(norm: str) -> None:
    eps = EPS if norm == "linf" else 1.0
    recipe = AdversarialTraining(eps=eps, norm=norm, steps=3, step_size=eps / 2)  # type: ignore[arg-type]
    loss, seen, batch = run(recipe)
    assert seen.training == [False, False, False, True]
    module, current = small_net().eval(), seen.images[0]
    for _ in range(3):
        current = current.detach().requires_grad_()
        functional.cross_entropy(module((current - 0.5) / 0.5), batch.labels).backward()
        gradient = current.grad
        if norm == "linf":
            moved = current + eps / 2 * gradient.sign()
            current = torch.min(torch.max(moved, batch.images - eps), batch.images + eps).clamp(0, 1)
        else:
            lengths = gradient.flatten(1).norm(dim=1)[:, None, None, None]
            delta = current + eps / 2 * gradient / lengths - batch.images
            current = batch.images + delta * (eps / delta.flatten(1).norm(dim=1).clamp_min(eps))[:, None, None, None]
            current = current.clamp(0, 1)
    torch.testing.assert_close(seen.images[-1], current.detach(), atol=2e-6, rtol=0)
    torch.testing.assert_close(loss, functional.cross_entropy(plain_logits(seen.images[-1]), batch.targets))


def test_without_a_random_start_the_first_step_is_from_the_image() -> None:
    _, seen, batch = run(AdversarialTraining(eps=EPS, steps=1, random_start=False))
    torch.testing.assert_close(seen.images[0], batch.images)


def test_fast_training_takes_one_step_of_five_quarters_of_eps_in_train_mode() -> None:
    loss, seen, batch = run(Fast(eps=EPS))
    assert seen.training == [True, True]
    start = seen.images[0]
    images = start.clone().requires_grad_()
    functional.cross_entropy(plain_logits(images), batch.labels).backward()
    moved = (start + 1.25 * EPS * images.grad.sign()).clamp(batch.images - EPS, batch.images + EPS).clamp(0, 1)
    torch.testing.assert_close(seen.images[1], moved, atol=1e-6, rtol=0)
    assert (start - batch.images).abs().max() <= EPS + 1e-6 and loss.requires_grad


def test_free_training_replays_a_batch_and_carries_its_perturbation_on() -> None:
    recipe, batch = Free(eps=EPS, replays=3), a_batch()
    module = small_net()
    holder = recipe.prepare(module)
    assert isinstance(holder, WithPerturbation)
    subject, optimizer = network(holder), torch.optim.SGD(module.parameters(), lr=0.1)
    for loss in recipe.losses(subject, batch):
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    plain, delta = small_net().train(), torch.zeros_like(batch.images)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    for _ in range(3):
        images = (batch.images + delta).clamp(0, 1).requires_grad_()
        optimizer.zero_grad()
        functional.cross_entropy(plain((images - 0.5) / 0.5), batch.targets).backward()
        optimizer.step()
        delta = (delta + EPS * images.grad.sign()).clamp(-EPS, EPS)
    torch.testing.assert_close(holder.perturbation, delta)
    for found, expected in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected)
    assert recipe.export(holder) is module
    again = recipe.prepare(small_net())
    again.load_state_dict(holder.state_dict())
    assert torch.equal(again.perturbation, holder.perturbation)


def test_trades_climbs_the_divergence_in_eval_mode_and_adds_it_to_the_clean_loss() -> None:
    recipe = Trades(eps=EPS, steps=2, beta=3)
    loss, seen, batch = run(recipe)
    assert seen.training == [False, False, False, True, True]
    start, step = seen.images[1], 0.007 / 0.031 * EPS
    assert 0.0005 < (start - batch.images).std() < 0.0015
    module, current = small_net().eval(), start
    clean = module((batch.images - 0.5) / 0.5).softmax(1).detach()
    for _ in range(2):
        current = current.detach().requires_grad_()
        attacked = module((current - 0.5) / 0.5).log_softmax(1)
        functional.kl_div(attacked, clean, reduction="sum").backward()
        moved = current + step * current.grad.sign()
        current = torch.min(torch.max(moved, batch.images - EPS), batch.images + EPS).clamp(0, 1)
    difference = (seen.images[-1] - current).abs() > 1e-6
    assert difference.float().mean() < 0.05  # so near the image gradients are tiny, and rounding turns some signs
    first, second = plain_logits(batch.images), plain_logits(seen.images[-1])
    divergence = functional.kl_div(second.log_softmax(1), first.softmax(1), reduction="batchmean")
    expected = functional.cross_entropy(first, batch.targets) + 3 * divergence
    torch.testing.assert_close(loss, expected)


def test_debiased_labels_weigh_the_shape_by_gamma_and_the_texture_by_the_rest() -> None:
    shapes, textures = torch.eye(3)[[0, 1]], torch.eye(3)[[2, 1]]
    expected = torch.tensor([[0.8, 0, 0.2], [0, 1.0, 0]])
    torch.testing.assert_close(two_hot(shapes, textures, 0.8), expected)


@pytest.mark.parametrize("auxiliary", [True, False])
def test_debiased_training_gives_every_image_the_texture_of_another_and_both_labels(auxiliary: bool) -> None:
    asked = []

    def styliser(content, style, strength, draws):
        asked.append((content, style, strength, len(draws)))
        return content * 0.5

    recipe, batch, module = Debiased(gamma=0.7, auxiliary=auxiliary), a_batch(), small_net()
    prepared = recipe.prepare(module)
    (loss,) = list(recipe.losses(network(prepared, styliser=styliser), batch))
    content, style, strength, draws = asked[0]
    assert torch.equal(content, batch.images) and strength == 0.5 and draws == 20
    assert torch.equal(style[1:], batch.images[:-1]) and torch.equal(style[0], batch.images[-1])
    both = 0.7 * batch.targets + 0.3 * batch.targets.roll(1, 0)
    if auxiliary:
        clean, other = plain_logits(batch.images), plain_logits(batch.images * 0.5)
    else:
        clean, other = plain_logits(torch.cat((batch.images, batch.images * 0.5))).chunk(2)
    parts = functional.cross_entropy(clean, batch.targets) + functional.cross_entropy(other, both)
    torch.testing.assert_close(loss, parts / 2)


def test_augmix_adds_twelve_times_the_divergence_of_three_predictions() -> None:
    loss, seen, batch = run(AugMix())
    assert seen.training == [True] and len(seen.images[0]) == 60
    clean, first, second = plain_logits(seen.images[0]).chunk(3)
    probabilities = [logits.softmax(1) for logits in (clean, first, second)]
    mean = sum(probabilities) / 3
    divergence = sum((p * (p / mean).log()).sum(1).mean() for p in probabilities) / 3
    torch.testing.assert_close(jensen_shannon(clean, first, second), divergence)
    torch.testing.assert_close(loss, functional.cross_entropy(clean, batch.targets) + 12 * divergence)
    torch.testing.assert_close(seen.images[0][:20], batch.images)


def test_augmix_uses_nothing_that_imagenet_c_has() -> None:
    change, operations = policy("augmix"), set()
    apply = change._apply_image_or_video_transform  # type: ignore[attr-defined]

    def noted(picture, operation, *rest, **more):
        operations.add(operation)
        return apply(picture, operation, *rest, **more)

    change._apply_image_or_video_transform = noted  # type: ignore[attr-defined]
    augmented(a_batch(40), change, "augmix")
    moves = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}
    assert operations == moves | {"Posterize", "Solarize", "AutoContrast", "Equalize"}


@pytest.mark.parametrize("recipe", [Mixup(alpha=1), CutMix()])
def test_mixed_images_have_labels_in_the_same_proportion(recipe: Recipe) -> None:
    loss, seen, batch = run(recipe)
    mixed, other = seen.images[0], batch.images.roll(1, 0)
    if isinstance(recipe, Mixup):
        apart = (batch.images - other).abs() > 0.2
        share = ((mixed - other) / (batch.images - other))[apart].mean()
    else:
        differs = (batch.images != other).any(1).flatten(1)
        own = ((mixed - batch.images).abs() < 1e-6).all(1).flatten(1)
        share = 1 - (~own & differs).any(0).float().mean()  # places that came from the neighbour in some pair
    targets = share * batch.targets + (1 - share) * batch.targets.roll(1, 0)
    expected = functional.cross_entropy(plain_logits(mixed), targets)
    torch.testing.assert_close(loss, expected, atol=0.02 if isinstance(recipe, CutMix) else 1e-4, rtol=0)


def test_cutmix_may_leave_a_batch_alone() -> None:
    _, seen, batch = run(CutMix(probability=0))
    torch.testing.assert_close(seen.images[0], batch.images)


def test_distillation_adds_the_softened_divergence_from_the_teacher() -> None:
    teacher = small_net(3).eval()
    loss, _, batch = run(Distillation(temperature=4, weight=0.3), teacher=teacher)
    with torch.no_grad():
        taught = (teacher(batch.images) / 4).softmax(1)
    logits = plain_logits(batch.images)
    divergence = (taught * (taught.log() - (logits / 4).log_softmax(1))).sum(1).mean()
    expected = 0.7 * functional.cross_entropy(logits, batch.targets) + 0.3 * 16 * divergence
    torch.testing.assert_close(loss, expected)


def test_tampering_changes_the_gradient_at_the_logits_to_that_of_powers_of_the_probabilities() -> None:
    logits, batch = torch.randn(20, 10).requires_grad_(), a_batch()
    alpha = 0.3
    (functional.cross_entropy(alpha * logits, batch.targets) / alpha).backward()
    powers = logits.detach().softmax(1) ** alpha
    expected = (powers / powers.sum(1, keepdim=True) - batch.targets) / 20
    torch.testing.assert_close(logits.grad, expected)
    loss, _, batch = run(Tampering(alpha=alpha))
    plain = functional.cross_entropy(alpha * plain_logits(batch.images), batch.targets) / alpha
    torch.testing.assert_close(loss, plain)
