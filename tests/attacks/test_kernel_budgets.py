"""Every attack that takes steps holds its budget of kernels and host waits for a step, beyond the network's own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

import kernel_counts
from robustbench_eff.registry.attacks import ATTACKS

BUDGETS = {
    ("pgd(eps=1e-6, steps={})", 16, 32): (41, 2),
    ("pgd(eps=1e-6, steps={}, early_stop=False)", 16, 32): (37, 0),
    ("pgd(eps=1e-6, steps={}, norm=l2)", 16, 32): (49, 2),
    ("pgd(eps=1e-6, steps={}, norm=l1)", 16, 32): (87, 8),
    ("bim(eps=1e-6, steps={})", 16, 32): (41, 2),
    ("security_curve(eps=[1e-6], steps={})", 16, 32): (41, 2),
    ("mi_fgsm(eps=1e-6, steps={})", 16, 32): (65, 9),
    ("mi_fgsm(eps=1e-6, steps={}, norm=l2)", 16, 32): (73, 9),
    ("apgd(eps=1e-6, iterations={})", 96, 192): (61, 2),
    ("apgd(eps=1e-6, iterations={}, loss=dlr)", 96, 192): (96, 2),
    ("apgd(eps=1e-6, iterations={}, norm=l2)", 96, 192): (74, 2),
    ("apgd(eps=1e-6, iterations={}, norm=l1)", 96, 192): (189, 12),
    ("apgd_t(eps=1e-6, iterations={})", 96, 192): (95, 2),
    ("fab(eps=1e-6, iterations={})", 16, 32): (636, 40),
    ("fab_t(eps=1e-6, iterations={})", 16, 32): (217, 41),
    ("fab_t(iterations={}, eps=None)", 16, 32): (219, 41),
    ("fmn(steps={})", 16, 32): (128, 16),
    ("fmn(steps={}, norm=l2)", 16, 32): (131, 16),
    ("carlini_wagner(binary_search_steps=1, iterations={}, abort_early=False)", 20, 40): (132, 22),
    ("square(eps=1e-6, queries={})", 401, 1201): (33, 1),
    ("square(eps=1e-6, norm=l2, queries={})", 401, 1201): (75, 1),
    ("one_pixel(population=20, generations={})", 8, 16): (231, 4),
}
"""Kernels and waits of a step, from runs with two numbers of steps."""
ONE_STEP = {"fgsm(eps=1e-6)": (51, 7), "r_fgsm(eps=1e-6)": (189, 7)}
"""The same of whole attacks."""
ENSEMBLES = {"autoattack"}
"""Attacks whose steps are those of others."""


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """One that has the device; here torch stays as it is."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=kernel_counts.begin) as pool:
        yield pool


@pytest.mark.parametrize(("run", "budget"), BUDGETS.items(), ids=[text for text, _, _ in BUDGETS])
def test_steps(run: tuple[str, int, int], budget: tuple[int, int], process: ProcessPoolExecutor) -> None:
    counts = process.submit(kernel_counts.per_step, *run).result()
    assert counts.kernels <= budget[0]
    assert counts.waits <= budget[1]


@pytest.mark.parametrize(("text", "budget"), ONE_STEP.items())
def test_attacks_of_one_step(text: str, budget: tuple[int, int], process: ProcessPoolExecutor) -> None:
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
