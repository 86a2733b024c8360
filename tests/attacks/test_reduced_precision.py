"""The oracle's low-precision copy: equal to the network within rounding, and confirmed by it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_eff.attacks import PGD, Oracle
from robustbench_eff.attacks.losses import cross_entropy
from robustbench_eff.attacks.reduced_precision import accelerated
from robustbench_eff.benchmarks.definitions.digits import DIGITS, open_digits
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.batching import Batches, cuda_error_message
from robustbench_eff.core.errors import EvaluationError, RobustEvalWarning
from robustbench_eff.core.preprocessing import Geometry, Preprocessing
from robustbench_eff.core.shortages import out_of_memory
from robustbench_eff.evaluation import batch_sizes
from robustbench_eff.models.classifier import Classifier, Provenance


def images(count: int = 4, size: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def norms(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with non-trivial statistics."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        for tensor in (norm.weight, norm.running_var):
            tensor.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))
        for tensor in (norm.bias, norm.running_mean):
            tensor.uniform_(-1, 1, generator=torch.Generator().manual_seed(2))
    return norm


class Head(nn.Module):
    """The mean over all pixels of each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Residual(nn.Module):
    """Conv, norm, in-place ReLU, a shortcut, a norm before a convolution, one norm used twice."""

    def __init__(self, padding: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 8, 3, padding=padding), norms(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, bias=False, groups=2), norms(8)
        self.before, self.conv3 = norms(8), nn.Conv2d(8, 8, 3, padding=1)
        self.twice = norms(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu(self.norm1(self.conv1(x)), inplace=True)
        x = x + self.norm2(self.conv2(x))
        x = self.twice(self.conv3(nn.functional.relu(self.before(x))))
        return self.head(self.twice(x).mean((2, 3)))


def classifier(module: nn.Module, size: int = 16) -> Classifier:
    preprocessing = Preprocessing(geometry=Geometry(size=size, mode="none"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    provenance = Provenance(name="toy", source="test", label_space="custom")
    return Classifier(module.eval(), preprocessing, provenance)


@pytest.mark.parametrize("padding", [0, 1])
def test_folding_changes_logits_only_by_rounding(padding: int) -> None:
    model = classifier(Residual(padding))
    copy, description = accelerated(model, images(), "float32", compiled=False)
    assert description == "float32, folded, channels-last"
    with torch.no_grad():
        assert (copy(images(9)) - model(images(9))).abs().max() < 1e-5
    remaining = [name for name, module in copy.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(remaining) == 2, "norm1 and norm2 follow a convolution; the others stay"


def test_timms_batch_norms_are_folded_and_their_activations_remain() -> None:
    import timm

    module = timm.create_model("mobilenetv2_035", num_classes=7)
    for norm in (part for part in module.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(0))
    model = classifier(module, 64)
    copy, description = accelerated(model, images(2, 64), "float32", compiled=False)
    assert description == "float32, folded, channels-last"
    assert not any(isinstance(part, nn.BatchNorm2d) for part in copy.modules())
    with torch.no_grad():
        assert (copy(images(3, 64)) - model(images(3, 64))).abs().max() < 1e-5 * model(images(3, 64)).abs().max() + 1e-6


@pytest.mark.parametrize(("precision", "most"), [("bfloat16", 0.05), ("float16", 0.006)])
def test_16_bits_are_close_and_the_original_is_unchanged(precision, most: float) -> None:
    model = classifier(Residual())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copy, description = accelerated(model, images(), precision, compiled=False)
    assert description == f"{precision}, folded, channels-last"
    with torch.no_grad():
        error = (copy(images(9)) - model(images(9))).abs().max()
    assert 0 < error < most
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_logits_are_computed_in_float32() -> None:
    """In bfloat16 they would have steps of a hundredth, which hide Square's small gains."""
    model = classifier(Residual())
    copy, _ = accelerated(model, images(), "bfloat16", compiled=False)
    heads = [module for module in copy.modules() if isinstance(module, nn.Linear)]
    assert [head.weight.dtype for head in heads] == [torch.float32]
    assert torch.equal(heads[0].weight, model.model.head.weight)
    with torch.no_grad():
        logits = copy(images(9))
    assert not torch.equal(logits, logits.bfloat16().float())


def test_no_slope_is_lost_in_16_bits_where_the_network_is_confident() -> None:
    model, labels = classifier(Residual()), torch.zeros(9, dtype=torch.long)
    with torch.no_grad():
        model.model.head.bias[0] = 20.0  # the slope of cross entropy is of the order of 1e-9 now
    oracle, rows = Oracle(model, precision="float16"), torch.arange(9)
    oracle.watch(9)
    _, gradient = oracle.gradient(images(9), labels, cross_entropy, rows)
    _, expected = Oracle(model)._gradient(images(9), labels, cross_entropy, rows)
    assert 0 < expected.abs().max() < 1e-7
    scale = 1e9  # cosine_similarity has an epsilon of its own
    likeness = nn.functional.cosine_similarity(scale * gradient.flatten(1), scale * expected.flatten(1))
    assert likeness.min() > 0.99
    assert not oracle.effort.zero_gradients.any()
    pixels = images(9).requires_grad_(True)
    (naive,) = torch.autograd.grad(cross_entropy(oracle._queried(pixels)(pixels), labels).sum(), pixels)
    assert not naive.any(), "the same slope without scaling"


def test_where_the_copy_overflows_the_plain_network_is_queried() -> None:
    class Glaring(nn.Module):
        """Activations overflow float16 above a brightness that noise never reaches."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            glare = torch.relu(x.mean((2, 3)) - 0.8) * 1e6
            return torch.cat((x.mean((2, 3)), glare / 1e6 - x.mean((2, 3))), 1)

    plain = Glaring().eval()
    oracle, rows, labels = Oracle(plain, precision="float16"), torch.arange(4), torch.tensor([0, 1, 2, 4])
    samples = torch.stack([torch.full((3, 4, 4), level) for level in (0.3, 1.0, 0.5, 0.9)])
    oracle.watch(4)
    logits = oracle.logits(samples, rows)
    assert oracle.query_mode == "float16, folded, channels-last"
    assert torch.equal(logits[[1, 3]], plain(samples[[1, 3]]))
    assert torch.allclose(logits, plain(samples), atol=1e-3)
    assert oracle.effort.num_forwards.tolist() == [1, 2, 1, 2]
    assert oracle.effort.notes == ["queried float32 where the low-precision copy overflowed"]
    _, gradient = oracle.gradient(samples, labels, cross_entropy, rows)
    _, expected = Oracle(plain)._gradient(samples, labels, cross_entropy, rows)
    assert torch.allclose(gradient, expected, rtol=1e-2)
    assert torch.equal(gradient[[1, 3]], expected[[1, 3]])
    assert oracle.effort.num_backwards.tolist() == [1, 2, 1, 2]


def test_a_network_whose_copy_is_too_inaccurate_is_queried_itself() -> None:
    class Chaotic(Residual):
        """A network whose logits depend on rounding."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(1e7 * super().forward(x))

    model = classifier(Chaotic())
    copy, description = accelerated(model, images(), "bfloat16", compiled=False)
    assert copy is model
    assert description.startswith("float32, as it is: logits off by")
    copy, description = accelerated(lambda x: model(x), images(), "float32", compiled=False)
    assert description == "float32, as it is: not an nn.Module"


def test_a_network_that_creates_float32_tensors_runs_under_autocast() -> None:
    class Stubborn(Residual):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x + torch.zeros(1, dtype=torch.float32).view(1, 1, 1, 1)).float()

    copy, description = accelerated(classifier(Stubborn()), images(), "bfloat16", compiled=False)
    assert description == "bfloat16, folded, channels-last"
    with torch.no_grad():
        assert copy(images()).dtype == torch.float32


def test_whether_a_copy_is_used_does_not_depend_on_the_first_images() -> None:
    model = classifier(Residual())
    oracle = Oracle(model, precision="bfloat16")
    PGD(steps=1)(oracle, images(0), torch.zeros(0, dtype=torch.long))
    PGD(steps=1)(oracle, images(3), torch.zeros(3, dtype=torch.long))
    assert oracle.query_mode == "float32, folded, channels-last; rough gradients: bfloat16, folded, channels-last"


def test_bfloat16_answers_rough_gradients_alone() -> None:
    model, rows, labels = classifier(Residual()), torch.arange(9), torch.zeros(9, dtype=torch.long)
    answers = {}
    for precision in ("float32", "bfloat16"):
        oracle = Oracle(model, precision=precision)
        oracle.watch(9)
        fine = oracle.gradient(images(9), labels, cross_entropy, rows)
        rough = oracle.gradient(images(9), labels, cross_entropy, rows, rough=True)
        answers[precision] = oracle.logits(images(9), rows), *fine, *rough
    *same, rough_logits, rough_gradient = zip(*answers.values(), strict=True)
    assert all(torch.equal(*pair) for pair in same), "logits, and the gradients of searches that need fine margins"
    for exact, rounded in (rough_logits, rough_gradient):
        assert not torch.equal(exact, rounded)
        assert nn.functional.cosine_similarity(exact.flatten(1), rounded.flatten(1)).min() > 0.98


def test_where_bfloat16_is_too_inaccurate_rough_gradients_are_float32() -> None:
    class Bursting(Residual):
        """A network that multiplies the rounding of bfloat16, and not of float32, to several standard deviations."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(300 * super().forward(x))

    oracle = Oracle(classifier(Bursting()), precision="bfloat16")
    copies = oracle.make_copies(torch.Size((3, 16, 16)), torch.device("cpu"))
    assert copies.exist
    assert copies.rough is copies.fine
    assert copies.precision == "float32"
    assert oracle.query_mode.startswith("float32, folded, channels-last; no bfloat16 (float32, as it is: logits off by")


def test_depthwise_convolutions_with_a_stride_stay_in_float32() -> None:
    """On a CPU, their gradient takes thirty times as long in bfloat16."""
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, stride=2, groups=8), nn.Conv2d(8, 8, 3, groups=8)]
    copy, _ = accelerated(classifier(nn.Sequential(*layers, Head())), images(), "bfloat16", compiled=False)
    types = [part.weight.dtype for part in copy.modules() if isinstance(part, nn.Conv2d)]
    assert types == [torch.bfloat16, torch.float32, torch.bfloat16]


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ((), "float32"),
        (("avx2",), "float32"),
        (("avx512_bf16",), "bfloat16"),
        (("amx_bf16", "avx512_bf16"), "bfloat16"),
        (("amx_fp16", "amx_bf16"), "float16"),
    ],
)
def test_the_default_precision_follows_from_the_processor_and_the_network(monkeypatch, has, expected) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(has, True))
    large, small = (classifier(nn.Sequential(nn.Conv2d(3, width, 9), Head())) for width in (999, 9))
    assert large.flops > batch_sizes.MIN_FLOPS_FOR_16_BITS > small.flops
    assert batch_sizes.precision(large, "cpu") == expected
    assert batch_sizes.precision(small, "cpu") == "float32"
    depthwise = classifier(nn.Sequential(nn.Conv2d(3, 999, 9), nn.Conv2d(999, 999, 3, stride=2, groups=999), Head()))
    assert batch_sizes.precision(depthwise, "cpu") == ("float16" if expected == "float16" else "float32")


def test_successes_that_the_plain_network_refutes_are_attacked_further() -> None:
    """The copy predicts class 1 for every image, the plain network only for bright ones."""

    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.threshold = nn.Parameter(torch.tensor(0.55))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = 20 * (x.mean((1, 2, 3)) - self.threshold)
            return torch.stack((-score, score), 1)

    plain, hasty = Bright().eval(), Bright().eval()
    hasty.threshold.data.fill_(0.4)
    oracle = Oracle(plain, precision="bfloat16")
    copies = oracle.make_copies(torch.Size((3, 4, 4)), torch.device("cpu"))
    copies.fine = copies.rough = hasty
    dim, labels = torch.full((3, 3, 4, 4), 0.5), torch.zeros(3, dtype=torch.long)
    found = PGD(eps=0.1, steps=10, random_start=False)(oracle, dim, labels)
    assert (plain(found).argmax(1) == 1).all()
    assert (oracle.effort.false_positives >= 1).all()
    assert (oracle.effort.num_forwards > oracle.effort.num_backwards).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_pgd_on_a_copy_breaks_as_many_samples(digits_standard: Classifier, precision) -> None:
    samples, labels = prepare(DIGITS, open_digits(), digits_standard.preprocessing.geometry).batch(0, 100)
    survived = []
    for kind in (None, precision):
        found = PGD(eps=8 / 255, steps=20)(Oracle(digits_standard, precision=kind), samples, labels)
        with torch.no_grad():
            survived.append(digits_standard(found).argmax(1) == labels)
    assert (survived[0] != survived[1]).sum() <= 1


def out_of_memory_above(limit: int):
    def function(batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return batch * 2

    return function


def test_batches_shrink_until_they_fit_and_no_result_changes() -> None:
    batches, numbers = Batches(64), torch.arange(100.0)
    with pytest.warns(RobustEvalWarning, match="batches of 8"):
        assert torch.equal(batches.cat_map(out_of_memory_above(10), numbers), numbers * 2)
    assert batches.size == 8


def test_one_sample_that_does_not_fit_is_an_error() -> None:
    with pytest.warns(RobustEvalWarning), pytest.raises(EvaluationError, match="too small for one sample"):
        Batches(4).cat_map(out_of_memory_above(0), torch.arange(8.0))


def test_a_shard_is_halved_if_a_single_sample_does_not_fit_next_to_the_others() -> None:
    def of(shard: torch.Tensor) -> torch.Tensor:
        return Batches(4).cat_map(out_of_memory_above(8 if len(shard) <= 10 else 0), shard)

    numbers = torch.arange(40.0)
    with pytest.warns(RobustEvalWarning):
        assert torch.equal(Batches(40).cat_map(of, numbers), numbers * 2)


def test_a_failed_device_is_distinguished_from_a_full_one() -> None:
    full = [RuntimeError(text) for text in ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when")]
    assert all(out_of_memory(error) and cuda_error_message(error) is None for error in full)
    failed = EvaluationError("fgsm failed")
    failed.__cause__ = RuntimeError("CUDA error: unspecified launch failure\nmore words")
    assert not out_of_memory(failed)
    assert cuda_error_message(failed) == "CUDA error: unspecified launch failure"
    assert cuda_error_message(RuntimeError("no CUDA error")) is None


def test_other_errors_do_not_count_as_out_of_memory() -> None:
    def broken(batch: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        Batches(4).map(broken, torch.arange(8.0))
