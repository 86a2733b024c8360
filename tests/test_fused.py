"""Fused arithmetic: the function itself on a CPU, compiled on a GPU, and itself again where the compiler fails."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import Tensor

from robustbench_eff.attacks import input_gradient, losses
from robustbench_eff.core import fused
from robustbench_eff.core.errors import RobustEvalWarning
from robustbench_eff.core.fused import Fused


def doubled(numbers: Tensor, factor: float = 2.0) -> Tensor:
    return numbers * factor


def test_a_cpu_compiles_nothing(monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda *args, **named: pytest.fail("compiled"))
    assert Fused(doubled)(torch.ones(2), factor=3.0).tolist() == [3.0, 3.0]


def test_a_gpu_compiles_once(monkeypatch) -> None:
    calls: list[object] = []

    def compile_(function, *, dynamic):
        assert dynamic
        calls.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr(fused, "COMPILED_ON", ("cpu",))
    function = Fused(doubled)
    assert [function(torch.ones(1)).item() for _ in range(3)] == [2.0, 2.0, 2.0]
    assert calls == [doubled]


def test_without_a_compiler_the_function_runs_as_it_is_and_one_warning_says_so(monkeypatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def broken(function, *, dynamic):
        def run(*arguments):
            raise TorchDynamoException("Cannot find a working triton installation")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(fused, "COMPILED_ON", ("cpu",))
    function = Fused(doubled)
    with pytest.warns(RobustEvalWarning, match=r"torch.compile fails on doubled \(.*triton.*\)") as warned:
        assert [function(torch.ones(1)).item() for _ in range(2)] == [2.0, 2.0]
    assert len(warned) == 1


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.margin, losses.difference_of_logits_ratio])
def test_the_slope_in_the_compiler_s_form_is_the_same(loss) -> None:
    logits, labels = torch.linspace(-3, 4, 40).sin().view(8, 5) * 10, torch.arange(8) % 5
    slope, scale = input_gradient._slope(logits.clone(), labels, loss)
    other, other_scale = input_gradient._fused_slope(logits, labels, loss)
    assert torch.allclose(slope * scale, other * other_scale, atol=1e-6)
    assert torch.equal(torch.frexp(scale).mantissa, torch.full_like(scale, 0.5))  # powers of two


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler needs g++")
def test_the_compiler_takes_the_slope(monkeypatch) -> None:
    monkeypatch.setattr(fused, "COMPILED_ON", ("cpu",))
    logits, labels = torch.linspace(-3, 4, 40).sin().view(8, 5), torch.arange(8) % 5
    slope, _ = input_gradient._slope(logits.clone(), labels, losses.cross_entropy)
    compiled, _ = input_gradient._fused_slope(logits, labels, losses.cross_entropy)
    assert torch.allclose(slope, compiled, atol=1e-6)
