"""What all tests share: one thread, a cache of their own, the shipped classifier, the development data."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.models.classifier import Classifier


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread_again(_one_thread: None) -> None:
    """Whatever an earlier test has set: sums in two threads may differ in their last bits."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_networks() -> None:
    """Whatever a test initialises at random is the same in every run, whichever tests run beside it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _same_path() -> Iterator[None]:
    """The folders of users' models are forgotten after a test: processes that are started later would inherit them."""
    before = sys.path.copy()
    yield
    sys.path[:] = before


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["ROBUST_EVAL_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session", autouse=True)
def _published_frost() -> None:
    """The reference package of the corruptions carries the pictures."""
    package = importlib.util.find_spec("imagecorruptions")
    if package is not None and package.origin is not None:
        os.environ["ROBUST_EVAL_FROST"] = str(Path(package.origin).with_name("frost"))


@pytest.fixture(scope="session")
def digits_standard() -> Classifier:
    return load_classifier("digits_standard")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real weights and images for development; users do not have them."""
    folder = Path(os.environ.get("ROBUST_EVAL_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the development data is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store: clean, FGSM and PGD on the digits test split."""
    store = tmp_path_factory.mktemp("digits") / "store"
    evaluate("digits_standard", attacks=["fgsm(eps=8/255)", "pgd(eps=16/255)"], store=store)
    return store
