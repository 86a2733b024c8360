"""`bpda`: the forward pass is exactly the function's, the backward pass the substitute's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustbench_eff import bpda, evaluate, load_classifier
from robustbench_eff.benchmarks.definitions.digits import open_digits
from robustbench_eff.core.errors import ModelError
from robustbench_eff.storage.store import Store

EPS, STEPS, STEP = 16 / 255, 10, 4 / 255
ATTACK = "pgd(eps=16/255, steps=10, step_size=4/255, random_start=False)"


def rounded(images: Tensor) -> Tensor:
    """16 levels, through NumPy, as a codec would compute them."""
    return torch.from_numpy(np.round(images.numpy() * 15) / np.float32(15))


class Differentiable(nn.Module):
    """Rounding as one would write it: its gradient is zero."""

    def forward(self, images: Tensor) -> Tensor:
        return (images * 15).round() / 15


def evaluated(store: Path, rounding: nn.Module):
    network = nn.Sequential(rounding, load_classifier("digits_standard")).eval()
    model = load_classifier(network, input_size=32)
    options = {"benchmarks": ["digits"], "limit": 40, "precision": "float32"}
    return evaluate(model, attacks=[ATTACK], store=store, **options)


def robust(result):
    (score,) = (score for score in result.scores if score.metric == "robust_accuracy")
    return score


def straight_through(images: Tensor, labels: Tensor, network: nn.Module) -> Tensor:
    """Which images survive signed steps along the gradient at the rounded image; an independent loop."""
    survives, current = torch.ones(len(images), dtype=torch.bool), images.clone()
    for step in range(STEPS + 1):
        seen = ((current * 15).round() / 15).requires_grad_(True)
        logits = network(seen)
        survives &= logits.argmax(1) == labels
        if step < STEPS:
            (slope,) = torch.autograd.grad(nn.functional.cross_entropy(logits, labels, reduction="sum"), seen)
            current = (current + STEP * slope.sign()).clamp(images - EPS, images + EPS).clamp(0, 1)
    return survives


def test_rounding_is_suspected_on_its_own_row_and_bpda_gives_the_number_of_a_straight_through_loop(
    tmp_path: Path,
) -> None:
    masked = evaluated(tmp_path / "masked", Differentiable())
    assert robust(masked).value > 0.9
    assert robust(masked).flags == ("masking suspected: zero_gradients",)
    (verdict,) = (verdict for verdict in masked.verdicts if verdict.check == "zero_gradients")
    assert "robustbench_eff.bpda" in verdict.remedy
    seen_through = evaluated(tmp_path / "bpda", bpda(rounded))
    assert robust(seen_through).flags == ()

    store, digits = Store.existing(tmp_path / "bpda"), open_digits("test")
    clean = next(cell for cell in store.cells() if store.cells()[cell].kind == "none")
    rows = [digits.ids.index(name) for name in store.outcomes(clean)["sample_id"].to_pylist()]
    images = torch.from_numpy(np.stack([digits.read(row) for row in rows])).permute(0, 3, 1, 2).float() / 255
    survivors = straight_through(
        images, torch.tensor([digits.labels[row] for row in rows]), load_classifier("digits_standard")
    )
    assert robust(seen_through).value == int(survivors.sum()) / 40
    assert robust(seen_through).value < 0.5


def test_the_output_is_the_function_s_and_the_gradient_the_substitute_s() -> None:
    inputs = torch.rand(2, 5, requires_grad=True)
    module = bpda(torch.round, backward=lambda values: values**2)
    output = module(inputs)
    assert torch.equal(output, inputs.round())
    output.backward(torch.ones_like(output) * 3)
    assert torch.allclose(inputs.grad, 6 * inputs)
    with torch.no_grad():
        assert torch.equal(module(inputs), inputs.round())


def test_a_function_that_writes_into_its_input_harms_nothing() -> None:
    inputs = torch.rand(2, 5)
    before = inputs.clone()
    assert torch.equal(bpda(lambda values: values.mul_(2))(inputs), 2 * before)
    assert torch.equal(inputs, before)


def test_a_wrapped_module_is_part_of_the_network() -> None:
    inner = nn.Linear(3, 3)
    outer = nn.Sequential(bpda(inner, backward=nn.Identity())).eval()
    assert not inner.training
    assert {parameter.data_ptr() for parameter in outer.parameters()} == {p.data_ptr() for p in inner.parameters()}
    assert "Linear, backward=Identity" in repr(outer)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (bpda(lambda values: values[:, :2].round()), r"turns shape \(2, 5\) into \(2, 2\)(.|\n)*Pass backward"),
        (bpda(torch.round, backward=lambda values: values.detach()), "must be differentiable"),
        (bpda(torch.round, backward=lambda values: values[:, :2]), r"return shape \(2, 5\)"),
        (bpda(lambda values: values.numpy()), r"must return a tensor, got ndarray(.|\n)*torch\.from_numpy"),
    ],
)
def test_functions_that_do_not_fit_are_named(module: nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        module(torch.rand(2, 5, requires_grad=True)).sum().backward()
