"""Options of load_classifier, and digests that must never change."""

from __future__ import annotations

import sys
import typing
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from robustbench_eff import load_classifier
from robustbench_eff.models.request import ModelOptions, ModelRequest
from small_models import UNTRAINED_MODEL, random_weights

DIGESTS = {
    "digits_standard": "5355a67251dbc131837c3d9dfe3bdd9b",
    "digits_advprop": "92477554c933b9cb9bb6cfb46f184500",
    "digits_sat": "26acf391d57ae38701ab7f13f1cde658",
}
"""Stores identify models by them."""


def test_the_options_are_the_fields_of_a_request_besides_its_name() -> None:
    options = typing.get_type_hints(ModelOptions)
    request = {field.name for field in fields(ModelRequest)} - {
        "name",
        "found_by",
        "named_in",
        "assumed",
        "images_sizes",
        "weights_address",
    }  # an address is a form of `weights`
    assert set(options) == request
    assert typing.get_type_hints(load_classifier)["options"] == typing.Unpack[ModelOptions]


def test_an_option_may_have_the_types_that_python_callers_use() -> None:
    made = ModelRequest.from_options("m", {"weights": "w.pt", "mean": [0.1, 0.2, 0.3], "std": [1], "model_args": None})
    assert made == ModelRequest(name="m", weights=Path("w.pt"), mean=(0.1, 0.2, 0.3), std=(1,))
    everything = {"weights": None, "num_classes": 3, "mean": [0.5], "std": (0.5,), "input_size": 8, "geometry": "none"}
    assert ModelRequest.from_options(
        "m", everything | {"model_args": {"a": 1}, "trust_checkpoint": True, "random_weights": True}
    ) == (
        ModelRequest(
            name="m",
            num_classes=3,
            mean=(0.5,),
            std=(0.5,),
            input_size=8,
            geometry="none",
            model_args={"a": 1},
            trust_checkpoint=True,
            random_weights=True,
        )
    )


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="wieghts"):
        load_classifier("digits_standard", wieghts="w.pt")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", DIGESTS)
def test_shipped_models_keep_their_digest(name: str) -> None:
    assert load_classifier(name).digest == DIGESTS[name]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions of Python have other bytecode")
def test_a_users_model_keeps_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "held_neighbour.py").write_text("SIGN = 1\n")
    (tmp_path / "held.py").write_text("import held_neighbour\n" + UNTRAINED_MODEL)
    namespace: dict = {}
    exec(UNTRAINED_MODEL, namespace)
    module = namespace["build"]()
    with torch.no_grad():
        for value in module.state_dict().values():
            value.zero_()
        module.head.bias.copy_(torch.arange(10.0))
    weights = random_weights(tmp_path / "w.safetensors", module)
    classifier = load_classifier(f"{tmp_path}/held.py:build", input_size=32, weights=weights)
    assert classifier.digest == "da82781fe73e16be2a3cbb5b0e447b5d"
