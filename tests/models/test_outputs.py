"""What networks return is read as logits, and the answers are those of a plain loop; the rest is refused."""

from __future__ import annotations

import copy
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from plain_networks import digits_network, grey_digits, l2_survivors, parity_network
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.attacks import PGD, Oracle
from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.outputs import logits_of
from running import accuracies

L2 = "pgd(norm='l2', eps=1, steps=25, random_start=false)"


@dataclass
class ImageClassifierOutput:
    """As of Hugging Face's transformers."""

    loss: Tensor | None
    logits: Tensor


class ModelOutput(OrderedDict):
    """As of Hugging Face's transformers: a dict whose entries are attributes too."""

    def __getattr__(self, name: str) -> Tensor:
        return self[name]


InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])


class Returning(nn.Module):
    """A network with something done to its logits."""

    def __init__(self, network: nn.Module, change: Any) -> None:
        super().__init__()
        self.network, self.change = network, change
        self.eval()

    def forward(self, images: Tensor) -> Any:
        return self.change(self.network(images))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return digits_network().requires_grad_(False)


@pytest.fixture(scope="module")
def parity() -> nn.Module:
    return parity_network().requires_grad_(False)


@pytest.mark.parametrize(
    ("change", "note", "flag"),
    [
        (lambda z: ImageClassifierOutput(None, z), "logits are .logits of its ImageClassifierOutput", ""),
        (lambda z: ModelOutput(logits=z, hidden=z + 1), "logits are .logits of its ModelOutput", ""),
        (lambda z: InceptionOutputs(z, z + 1), "logits are .logits of its InceptionOutputs", ""),
        (lambda z: {"features": z + 1, "logits": z}, "logits are the entry 'logits' of its dict", ""),
        (lambda z: {"aux": z + 1, "out": z}, "logits are the entry 'out' of its dict", ""),
        (lambda z: {"output": z, "loss": None}, "logits are the entry 'output' of its dict", ""),
        (lambda z: {"scores": z, "name": "x"}, "logits are the entry 'scores' of its dict", ""),
        (lambda z: [z], "logits are the first tensor of its list of 1", ""),
        (lambda z: (z, None), "logits are the first tensor of its tuple of 2", ""),
        (
            lambda z: (z, torch.cat((z, z), 1)),
            "logits are the first tensor of its tuple of 2",
            "logits are the first tensor of its tuple of 2; others have shape (N, 20)",
        ),
        (lambda z: z[:, :, None, None], "its outputs of shape (N, 10, 1, 1) are squeezed to (N, K)", ""),
        (lambda z: z.double(), "its float64 logits are converted to float32", ""),
        (lambda z: z.squeeze(), "", ""),
        (lambda z: z, "", ""),
    ],
)
def test_an_output_is_read_as_logits_and_what_was_done_is_said(
    network: nn.Module, change, note: str, flag: str
) -> None:
    images, _ = grey_digits("test", 7)
    classifier = load_classifier(Returning(network, change), input_size=32)
    expected = ((note,) if note else (), (flag,) if flag else ())
    assert (classifier.provenance.notes[1:], classifier.provenance.flags) == expected
    for count in (7, 1):
        logits = classifier(images[:count])
        assert torch.equal(logits, network(images[:count]))
        assert logits.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z: z.argmax(1), r"must return float logits.*torch.int64, such as class numbers"),
        (lambda z: z > 0, r"must return float logits.*torch.bool"),
        (lambda z: z.argmax(1).float(), "one whole number per image, such as a class number"),
        (lambda z: (z[:, :1] > 0).float(), r"one value in \[0, 1\] per image"),
        (lambda z: z[:, :1].sigmoid(), r"one value in \[0, 1\] per image: a probability"),
        (lambda z: z[:, 0].sigmoid(), r"one value in \[0, 1\] per image: a probability"),
        (lambda z: z.softmax(1), "returns probabilities"),
        (lambda z: z.softmax(1).half(), "returns probabilities"),
        (lambda z: z.softmax(1).bfloat16(), "returns probabilities"),
        (lambda z: {"a": z, "b": z}, "a dict with 'a', 'b', and none of logits, out, output"),
        (lambda z: {}, "a dict with nothing"),
        (lambda z: (), "a tuple without tensors"),
        (lambda z: None, r"logits of shape \(N, K\), got NoneType"),
        (lambda z: z.numpy(), r"logits of shape \(N, K\), got ndarray"),
        (lambda z: (z.sum(), z), r"logits of shape \(N, K\), got \(\) for N = 3"),
        (lambda z: z[:, :, None, None].expand(-1, -1, 4, 4), r"got \(3, 10, 4, 4\) for N = 3"),
        (lambda z: z.mean(0, keepdim=True), r"got \(1, 10\) for N = 3"),
        (lambda z: z[:, : len(z)], "3 logits for an image in a batch of 3 and 2 alone"),
        (lambda z: z / 0, "NaN or infinite logits"),
    ],
)
def test_what_is_not_logits_is_refused_in_a_sentence(network: nn.Module, change, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_classifier(Returning(network, change), input_size=32)


@pytest.mark.parametrize("shape", [(-1, 1), (-1,), (-1, 1, 1, 1)])
def test_a_single_logit_decides_between_two_classes_as_a_plain_loop_does(
    parity: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    images, labels = grey_digits("test", 60)
    for row, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        folder = tmp_path / "set" / ("even", "odd")[label % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image[0] * 255).round().byte().numpy()).save(folder / f"{row:02d}.png")
    model = load_classifier(Returning(parity, lambda z: z.reshape(shape)), input_size=32)
    assert model.num_classes == 2
    assert "its single output z is the logit of class 1 against class 0: logits [0, z]" in model.provenance.notes
    options = {"benchmarks": ["set"], "data": {"set": str(tmp_path / "set")}, "store": tmp_path / "store"}
    ours = [score.value for score in accuracies(evaluate(model, attacks=[L2], **options).scores)]
    odd = labels % 2
    clean = ((parity(images)[:, 0] > 0) == (odd == 1)).float().mean().item()

    def two(pixels: Tensor) -> Tensor:
        z = parity(pixels)
        return torch.cat((-z / 2, z / 2), 1)  # the same cross-entropy: only the difference counts

    robust = l2_survivors(two, images, odd, eps=1.0).float().mean().item()
    assert clean > 0.8 > robust
    assert ours[:2] == pytest.approx([clean, robust], abs=0.02)


def test_a_logit_that_happens_to_lie_in_the_unit_interval_is_none_the_less_a_logit(parity: nn.Module) -> None:
    small = Returning(parity, lambda z: 0.5 + z / 1000)
    assert load_classifier(small, input_size=32).num_classes == 2


def test_the_hint_for_a_probability_can_be_followed(parity: nn.Module) -> None:
    with pytest.raises(ModelError) as refused:
        load_classifier(Returning(parity, lambda z: z.clamp(0, 1)), input_size=32)
    assert refused.value.hint == "Return the value from before the sigmoid. If it is a logit, return two: [0, z]."
    two = Returning(parity, lambda z: torch.cat((torch.zeros_like(z), z.clamp(0, 1)), 1))
    assert load_classifier(two, input_size=32).num_classes == 2


def test_a_sigmoid_for_each_class_is_flagged(network: nn.Module, tmp_path: Path) -> None:
    flag = "all outputs lie in [0, 1]: attacks look too weak if they are probabilities"
    model = load_classifier(Returning(network, torch.sigmoid), input_size=32)
    assert model.provenance.flags == (flag,)
    scores = evaluate(model, benchmarks=["digits"], attacks=["none"], limit=20, store=tmp_path).scores
    assert all(flag in score.flags for score in scores)
    assert load_classifier(Returning(network, lambda z: 0.5 + z / 1000), input_size=32).provenance.flags == ()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_another_type_gets_images_of_that_type(
    network: nn.Module, dtype: torch.dtype, tmp_path: Path
) -> None:
    other = copy.deepcopy(network).to(dtype)
    images, labels = grey_digits("test", 60)

    def plain(pixels: Tensor) -> Tensor:
        return other(pixels.to(dtype)).float()

    model = load_classifier(other, input_size=32, device="cpu")
    logits = model(images)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, plain(images))
    name = str(dtype).removeprefix("torch.")
    assert model.provenance.notes[1] == f"a {name} network: images are converted to that type"
    options = {"benchmarks": ["digits"], "limit": 60, "store": tmp_path, "device": "cpu"}
    ours = [score.value for score in accuracies(evaluate(model, attacks=[L2], **options).scores)]
    clean = (plain(images).argmax(1) == labels).float().mean().item()
    robust = l2_survivors(plain, images, labels, eps=1.0).float().mean().item()
    assert ours[0] == pytest.approx(clean, abs=1e-6)
    assert ours[1] == pytest.approx(robust, abs=0.034)


def test_the_low_precision_copy_of_such_networks_is_right_or_is_not_used(network: nn.Module) -> None:
    images, labels = grey_digits("test", 20)
    for odd in (Returning(network, lambda z: {"logits": z}), copy.deepcopy(network).bfloat16()):
        model = load_classifier(odd, input_size=32, device="cpu")
        for precision in ("float32", "float16", "bfloat16"):
            oracle = Oracle(model, precision=precision)
            found = PGD(norm="l2", eps=1.0)(oracle, images, labels)
            assert (model(found).argmax(1) == labels).float().mean() < 0.7, (precision, oracle.query_mode)


def test_reading_keeps_the_gradient_and_costs_nothing_for_plain_logits() -> None:
    z = torch.randn(4, 1, requires_grad=True)
    logits_of({"logits": z}).diff(dim=1).sum().backward()
    assert torch.equal(z.grad, torch.ones(4, 1))
    plain = torch.randn(4, 3)
    assert logits_of(plain) is plain
    assert torch.equal(logits_of(np.float32(1) * plain[0], samples=1), plain[:1])
    assert logits_of(torch.tensor(2.0), samples=1).tolist() == [[0.0, 2.0]]
