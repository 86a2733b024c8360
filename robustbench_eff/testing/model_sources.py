"""The contract battery of model sources, exported by `robustbench_eff.testing`."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path

import torch

from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.classifier import Classifier, Provenance
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.source import ModelSource


@dataclasses.dataclass(frozen=True, slots=True)
class ModelExample:
    """A model source with a model that it can build on this machine, without a download and with fixed weights.

    from robustbench_eff.testing import MODEL_SOURCE_CHECKS, ModelExample

    @pytest.mark.parametrize("check", MODEL_SOURCE_CHECKS, ids=lambda check: check.__name__)
    def test_my_source(check):
        check(ModelExample(MY_SOURCE, "small", ModelRequest(name="vendor/mine:small")))
    """

    source: ModelSource
    """The source under test."""
    target: str
    """Name of the model within the source."""
    request: ModelRequest
    """The request that builds it; `name` is the whole name, with the prefix."""


def implements_the_protocol(example: ModelExample) -> None:
    """Check that the source has the methods of `ModelSource`.

    Args:
        example: Source and model to check.
    """
    assert isinstance(example.source, ModelSource), f"{example.source!r} lacks missing, build or label_space"


def is_immutable_and_portable(example: ModelExample) -> None:
    """Check that the source cannot be changed and that other processes can receive it.

    Args:
        example: Source and model to check.
    """
    source = example.source
    try:
        source.state = 1  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        assert pickle.loads(pickle.dumps(source)) == source, "a copy in another process is not equal"
        return
    raise AssertionError(f"{type(source).__name__} has state: attributes can be assigned")


def finds_nothing_missing(example: ModelExample) -> None:
    """Check that `missing` returns an empty list for a model that can be built.

    Args:
        example: Source and model to check.
    """
    assert example.source.missing(example.target, example.request) == []


def reports_a_missing_weights_file(example: ModelExample) -> None:
    """Check that a file of weights that does not exist is reported by `missing`, not first by `build`.

    A source whose targets are files of weights themselves raises UsageError.

    Args:
        example: Source and model to check.
    """
    file = "no-such-folder/weights.safetensors"
    request = dataclasses.replace(example.request, weights=Path(file))
    try:
        missing = example.source.missing(example.target, request)
    except UsageError:
        return
    assert any(file in item.what for item in missing), f"{file} does not exist, and `missing` does not report it"


def refuses_an_unknown_target(example: ModelExample) -> None:
    """Check that an unknown model is missing, or raises UsageError or a subclass of it such as ModelError.

    Args:
        example: Source and model to check.
    """
    target = "no-such-model-of-any-source"
    request = dataclasses.replace(example.request, name=example.request.name.replace(example.target, target))
    try:
        if example.source.missing(target, request):
            return
        example.source.build(target, request)
    except UsageError:
        return
    raise AssertionError(f"{target} was built")


def builds_a_classifier(example: ModelExample) -> None:
    """Check that the network is in eval mode and returns finite logits at the size of its preprocessing.

    Args:
        example: Source and model to check.
    """
    _classifier(example)


def expects_the_label_space_it_has(example: ModelExample) -> None:
    """Check that `label_space` returns, before anything is loaded, what the loaded model has.

    Args:
        example: Source and model to check.
    """
    expected = example.source.label_space(example.target, example.request)
    actual = example.source.build(example.target, example.request).label_space
    assert expected == actual, f"label_space says {expected!r}, the model has {actual!r}"


def builds_the_same_model_again(example: ModelExample) -> None:
    """Check that two builds of one request have the same digest and share no tensors.

    Args:
        example: Source and model to check.
    """
    first, second = _classifier(example), _classifier(example)
    assert first.digest == second.digest, "two builds of one request differ"
    with torch.no_grad():
        for value in first.model.state_dict().values():
            value.add_(1)
    second.check_weights()


def honors_the_users_preprocessing(example: ModelExample) -> None:
    """Check that `mean` and `std` of the request replace the model's own.

    Args:
        example: Source and model to check.
    """
    request = dataclasses.replace(example.request, mean=(0.25,), std=(0.75,))
    preprocessing = example.source.build(example.target, request).preprocessing
    assert (preprocessing.mean, preprocessing.std) == ((0.25,) * 3, (0.75,) * 3), f"got {preprocessing}"


MODEL_SOURCE_CHECKS: tuple[Callable[[ModelExample], None], ...] = (
    implements_the_protocol,
    is_immutable_and_portable,
    finds_nothing_missing,
    reports_a_missing_weights_file,
    refuses_an_unknown_target,
    builds_a_classifier,
    expects_the_label_space_it_has,
    builds_the_same_model_again,
    honors_the_users_preprocessing,
)


def _classifier(example: ModelExample) -> Classifier:
    built = example.source.build(example.target, example.request)
    provenance = Provenance(name=example.request.name, source=built.source, label_space=built.label_space)
    return Classifier(built.module, built.preprocessing, provenance)
