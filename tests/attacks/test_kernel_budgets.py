"""Every attack that takes steps holds its budget of kernels and host waits for a step, beyond the network's own."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

import kernel_counts
from robustbench_eff.registry.attacks import ATTACKS

BUDGETS = {
    ("pgd(eps=1e-6, steps={})", 16, 32): (23, 1 / 8),
    ("pgd(eps=1e-6, steps={}, early_stop=False)", 16, 32): (20, 0),
    ("pgd(eps=1e-6, steps={}, norm=l2)", 16, 32): (34, 1 / 8),
    ("pgd(eps=1e-6, steps={}, norm=l1)", 16, 32): (71, 6),
    ("bim(eps=1e-6, steps={})", 16, 32): (23, 1 / 8),
    ("security_curve(eps=[1e-6], steps={})", 16, 32): (23, 1 / 8),
    ("mi_fgsm(eps=1e-6, steps={})", 16, 32): (33, 1 / 8),
    ("mi_fgsm(eps=1e-6, steps={}, norm=l2)", 16, 32): (41, 1 / 8),
    ("apgd(eps=1e-6, iterations={})", 96, 192): (45, 1 / 8),
    ("apgd(eps=1e-6, iterations={}, loss=dlr)", 96, 192): (80, 1 / 8),
    ("apgd(eps=1e-6, iterations={}, norm=l2)", 96, 192): (58, 1 / 8),
    ("apgd(eps=1e-6, iterations={}, norm=l1)", 96, 192): (174, 10),
    ("apgd_t(eps=1e-6, iterations={})", 96, 192): (79, 1 / 8),
    ("fab(eps=1e-6, iterations={})", 16, 32): (572, 11),
    ("fab_t(eps=1e-6, iterations={})", 16, 32): (257, 11),
    ("fab_t(iterations={}, eps=None)", 16, 32): (259, 11),
    ("fmn(steps={})", 16, 32): (127, 7),
    ("fmn(steps={}, norm=l2)", 16, 32): (131, 7),
    ("carlini_wagner(binary_search_steps=1, iterations={}, abort_early=False)", 20, 40): (133, 11),
    ("square(eps=1e-6, queries={})", 401, 1201): (25, 1 / 8),
    ("square(eps=1e-6, norm=l2, queries={})", 401, 1201): (67, 1 / 8),
    ("one_pixel(population=20, generations={})", 8, 16): (240, 4),
}
"""Kernels and waits of a step, from runs with two numbers of steps."""
ON_A_COPY = {
    ("pgd(eps=1e-6, steps={})", 16, 32): (31, 1 / 8),
    ("apgd(eps=1e-6, iterations={})", 96, 192): (53, 1 / 8),
    ("square(eps=1e-6, queries={})", 401, 1201): (27, 1 / 8),
}
"""The same on a low-precision copy, whose overflow is looked for, less the passes of the copy."""
COMPILED = [
    ("pgd(eps=1e-6, steps={})", 16, 32),
    ("pgd(eps=1e-6, steps={}, norm=l2)", 16, 32),
    ("mi_fgsm(eps=1e-6, steps={})", 16, 32),
    ("mi_fgsm(eps=1e-6, steps={}, norm=l2)", 16, 32),
    ("apgd(eps=1e-6, iterations={})", 96, 192),
    ("apgd(eps=1e-6, iterations={}, loss=dlr)", 96, 192),
    ("apgd(eps=1e-6, iterations={}, norm=l2)", 96, 192),
    ("apgd_t(eps=1e-6, iterations={})", 96, 192),
    ("square(eps=1e-6, queries={})", 401, 1201),
    ("square(eps=1e-6, norm=l2, queries={})", 401, 1201),
]
"""Attacks whose arithmetic is compiled on a GPU, with the budget of all: 12 kernels, and a wait in 8 steps."""
ONE_STEP = {"fgsm(eps=1e-6)": (45, 7), "r_fgsm(eps=1e-6)": (183, 7)}
"""Kernels and waits of whole attacks."""
ENSEMBLES = {"autoattack"}
"""Attacks whose steps are those of others."""


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """One that has the device; here torch stays as it is."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=kernel_counts.begin) as pool:
        yield pool


@pytest.mark.parametrize(("run", "budget"), BUDGETS.items(), ids=[text for text, _, _ in BUDGETS])
def test_steps(run: tuple[str, int, int], budget: tuple[float, float], process: ProcessPoolExecutor) -> None:
    counts = process.submit(kernel_counts.per_step, *run).result()
    assert counts.kernels <= budget[0]
    assert counts.waits <= budget[1]


@pytest.mark.parametrize(("run", "budget"), ON_A_COPY.items(), ids=[text for text, _, _ in ON_A_COPY])
def test_steps_on_a_copy(run: tuple[str, int, int], budget: tuple[float, float], process: ProcessPoolExecutor) -> None:
    counts = process.submit(kernel_counts.per_step, *run, "float32").result()
    assert counts.kernels <= budget[0]
    assert counts.waits <= budget[1]


@pytest.fixture(scope="module")
def compiling_process() -> Iterator[ProcessPoolExecutor]:
    """One that has the device, on which arithmetic is compiled."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("there is no C++ compiler, of whose functions the kernels are counted")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=kernel_counts.begin_compiled) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("run", COMPILED, ids=[text for text, _, _ in COMPILED])
def test_compiled_steps(run: tuple[str, int, int], compiling_process: ProcessPoolExecutor) -> None:
    counts = compiling_process.submit(kernel_counts.per_step, *run).result()
    assert counts.kernels <= 12
    assert counts.waits <= 1 / 8


@pytest.mark.parametrize(("text", "budget"), ONE_STEP.items())
def test_attacks_of_one_step(text: str, budget: tuple[float, float], process: ProcessPoolExecutor) -> None:
    counts = process.submit(kernel_counts.run, text).result()
    assert counts.kernels <= budget[0]
    assert counts.waits <= budget[1]


def test_every_attack_has_a_budget() -> None:
    texts = [*(text for text, _, _ in BUDGETS), *ONE_STEP]
    assert {text.partition("(")[0] for text in texts} | ENSEMBLES == set(ATTACKS)


def test_what_is_counted(process: ProcessPoolExecutor) -> None:
    assert process.submit(kernel_counts.counts_of_examples).result() == {
        "addition": (1, 0),
        "view": (0, 0),
        "reading a number": (0, 1),
        "reading a list": (0, 1),
        "selecting by a mask": (1, 1),
        "selecting by positions": (1, 0),
        "copying to the host": (1, 1),
        "copying from the host": (1, 0),
        "comparison": (1, 1),
    }
