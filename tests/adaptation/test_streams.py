"""A network that adapts gives the answers of a plain loop, in every order, and starts every cell as it was loaded."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from adapting_networks import Normed, SelfAdapting, batch_norm_loop, digits, loop, tent_loop, trained
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.core.errors import EvaluationError, ModelError, RobustEvalError, SpecError, UsageError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.core.stream import Stream
from robustbench_eff.evaluation import device_runtime
from robustbench_eff.evaluation.engines.store_writer import Progress
from robustbench_eff.evaluation.evaluate import NullListener
from robustbench_eff.registry.build_corruption import parse_corruption
from robustbench_eff.storage.store import Store
from running import accuracies, by_cell, outcomes

COUNT = 100
FOG = "fog(severity=4, constants='cifar10')"
IDS = [f"digits/test/{row}" for row in range(COUNT)]


@pytest.fixture(scope="module")
def normed() -> Normed:
    torch.manual_seed(0)
    return trained()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return digits(COUNT)[0]


def run(store: Path, network: nn.Module, adapt: str | None, *corruptions: str, **options):
    model = load_classifier(copy.deepcopy(network).eval(), input_size=32)
    perturbed = {"corruptions": corruptions} if corruptions else {"attacks": options.pop("attacks", ["none"])}
    options = {"limit": COUNT, "adapt": adapt, "store": store, **options}
    return evaluate(model, benchmarks=["digits"], **perturbed, **options)


def column(store: Path, perturbation: str, name: str) -> list:
    return outcomes(store)[perturbation][name].to_pylist()


def orders_of(adapt_stream: Stream, store: Path) -> list[np.ndarray]:
    table = outcomes(store)["none"]
    ids, labels = table["sample_id"].to_pylist(), np.array(table["label"].to_pylist())
    return [adapt_stream.permutation(number, ids, labels, 0) for number in range(adapt_stream.num_orders)]


# --- Equal to a plain implementation ---


@pytest.mark.parametrize("size", [1, 30, 100])
def test_bn1_predicts_with_the_statistics_of_the_batch(
    normed: Normed, images: torch.Tensor, tmp_path: Path, size: int
) -> None:
    run(tmp_path, normed, f"bn1(batch_size={size}, order=given)")
    assert column(tmp_path, "none", "prediction") == batch_norm_loop(normed, images, size)


@pytest.mark.parametrize("reset", ["never", "batch"])
def test_tent_gives_the_predictions_of_its_paper(
    normed: Normed, images: torch.Tensor, tmp_path: Path, reset: str
) -> None:
    run(tmp_path, normed, f"tent(batch_size=30, order=given, reset={reset}, lr=0.05)", FOG)
    assert column(tmp_path, "none", "prediction") == tent_loop(normed, images, 30, lr=0.05, episodic=reset == "batch")
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1)
    ids = column(tmp_path, "none", "sample_id")
    foggy = parse_corruption(FOG)(pixels, RandomStreams.of(0, ids)).permute(0, 3, 1, 2).float() / 255
    assert column(tmp_path, FOG, "prediction") == tent_loop(normed, foggy, 30, lr=0.05, episodic=reset == "batch")
    assert tent_loop(normed, images, 30, lr=0.05) != tent_loop(normed, images, 30, lr=0.05, episodic=True)


@pytest.mark.parametrize("reset", ["never", "batch"])
@pytest.mark.parametrize("size", [1, 32])
def test_a_network_that_adapts_by_itself_equals_a_plain_loop(
    normed: Normed, images: torch.Tensor, tmp_path: Path, size: int, reset: str
) -> None:
    network = SelfAdapting(copy.deepcopy(normed)).eval()
    run(tmp_path, network, f"batches(size={size}, order=given, reset={reset})")
    assert column(tmp_path, "none", "prediction") == loop(network, images, size, episodic=reset == "batch")
    if size > 1:
        assert loop(network, images, size) != loop(network, images, size, episodic=True)


def test_every_order_is_the_plain_loop_over_that_order(normed: Normed, images: torch.Tensor, tmp_path: Path) -> None:
    for order in ("iid", "class_sorted"):
        store = tmp_path / order
        result = run(store, normed, f"tent(batch_size=30, order={order}, lr=0.05)")
        permutations = orders_of(Stream(batch_size=30, order=order), store)
        labels, expected = np.array(column(store, "none", "label")), []
        for permutation in permutations:
            answers = np.array(tent_loop(normed, images[torch.from_numpy(permutation)], 30, lr=0.05))
            expected.append((answers == labels[permutation])[np.argsort(permutation)])
        assert column(store, "none", "votes") == np.stack(expected, 1).tolist()
        assert column(store, "none", "correct") == expected[0].tolist()
        (score,) = accuracies(result.scores)
        assert score.value == pytest.approx(np.mean(expected))


def test_under_gradual_severity_rises_to_the_stated_one(normed: Normed, images: torch.Tensor, tmp_path: Path) -> None:
    run(tmp_path, normed, "bn1(batch_size=30, order=gradual, orders=1)", FOG)
    assert list(outcomes(tmp_path)) == [FOG]
    ids, labels = column(tmp_path, FOG, "sample_id"), np.array(column(tmp_path, FOG, "label"))
    order = Stream(batch_size=30, order="gradual").permutation(0, ids, labels, 0)
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1)[torch.from_numpy(order)]
    parts = []
    for place in range(COUNT):  # 25 images at each severity from 1 to 4
        fog = parse_corruption(f"fog(severity={1 + place // 25}, constants='cifar10')")
        parts.append(fog(pixels[place : place + 1], RandomStreams.of(0, [ids[order[place]]])))
    foggy = torch.cat(parts).permute(0, 3, 1, 2).float() / 255
    predicted = np.array(batch_norm_loop(normed, foggy, 30))[np.argsort(order)]
    assert column(tmp_path, FOG, "prediction") == predicted.tolist()


# --- However the work is cut ---


def test_workers_shards_and_earlier_cells_change_nothing(normed: Normed, tmp_path: Path) -> None:
    """In a process of its own a cell comes after others, or alone; the state never passes from one to the next."""
    adapt = "tent(batch_size=16, order=given, reset=batch, lr=0.05)"
    run(tmp_path / "whole", normed, adapt, FOG, shard_size=1000)
    run(tmp_path / "cut", normed, adapt, FOG, shard_size=20)
    run(tmp_path / "first", normed, adapt, "contrast(severity=2, constants='cifar10')", FOG, shard_size=50)
    one, two, three = (outcomes(tmp_path / name) for name in ("whole", "cut", "first"))
    for name in ("none", FOG):
        for other in (two, three):
            assert one[name].select(["prediction", "margin"]).equals(other[name].select(["prediction", "margin"]))


def test_an_interrupted_online_cell_starts_anew_and_a_finished_one_is_kept(normed: Normed, tmp_path: Path) -> None:
    adapt = "tent(batch_size=16, lr=0.05)"
    steps: list[tuple[str, int, int]] = []

    class Ears(NullListener):
        def progressed(self, progress: Progress) -> None:
            steps.append((progress.cell.perturbation, progress.samples, progress.done))
            if progress.cell.perturbation == "none" and progress.done == COUNT:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "store", normed, adapt, FOG, listener=Ears())
    assert [step for step in steps if step[1]] == [("none", COUNT, COUNT)], "an online cell is one task"
    run(tmp_path / "store", normed, adapt, FOG)
    run(tmp_path / "other", normed, adapt, FOG)
    assert outcomes(tmp_path / "store")[FOG].equals(outcomes(tmp_path / "other")[FOG])


def test_streams_are_cells_and_protocols_of_their_own(normed: Normed, tmp_path: Path) -> None:
    protocols = []
    for adapt in (None, "bn1(batch_size=50)", "bn1(batch_size=25)", "tent(batch_size=50)", "batches(size=1)"):
        (score,) = accuracies(run(tmp_path, normed, adapt).scores)
        protocols.append(str(score.protocol))
    assert len(by_cell(tmp_path)) == len(set(protocols)) == 5
    assert "tent(batch_size=50): batches of 50, in 3 i.i.d. orders, never reset · seed 0" in protocols[3]
    assert protocols[4].endswith("batches(size=1): one image at a time")
    run(tmp_path, normed, "bn1(orders=3, batch_size=50, order=iid)")
    assert len(by_cell(tmp_path)) == 6, "a default that is written out: another text"


def test_the_network_of_the_user_stays_as_it_is(normed: Normed, tmp_path: Path) -> None:
    network = SelfAdapting(copy.deepcopy(normed)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = load_classifier(network, input_size=32)
    evaluate(model, benchmarks=["digits"], attacks=["none"], adapt="batches(size=50, reset=never)", limit=COUNT,
             store=tmp_path)  # fmt: skip
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert network.batches == 0
    assert not network.optimizer.state


# --- Attacks ---


class NoRunningStatistics(nn.Module):
    """Batch norms that use the batch in eval mode too."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats, module.running_mean, module.running_var = False, None, None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


@pytest.mark.parametrize("attack", ["fgsm(eps=8/255)", "pgd(eps=64/255, steps=3)"])
def test_one_by_one_attacks_are_those_of_a_network_that_sees_one_image(
    normed: Normed, tmp_path: Path, attack: str
) -> None:
    class OneImage(NoRunningStatistics):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.network(image[None]) for image in images])

    run(tmp_path / "adapt", NoRunningStatistics(normed), "batches(size=1)", attacks=[attack], limit=40)
    run(tmp_path / "plain", OneImage(normed), None, attacks=[attack], limit=40, precision="float32")
    found, expected = outcomes(tmp_path / "adapt"), outcomes(tmp_path / "plain")
    for name in ("none", attack):
        assert found[name].select(["prediction", "correct"]).equals(expected[name].select(["prediction", "correct"]))
    assert 0.01 < max(found[attack]["distance_linf"].to_pylist()) < 64.01 / 255


# --- What is refused ---


@pytest.mark.parametrize(
    ("adapt", "words"),
    [
        ("tnet", "Did you mean 'tent'"),
        ("tent(size=3)", "does not have a field 'size'"),
        ("batches", "batches needs a value for size"),
        ("batches(size=0)", "batch size must be at least 1, got 0"),
        ("tent(order=sorted)", "must be 'given' or 'iid' or 'class_sorted' or 'gradual'"),
        ("tent(lr=0.0)", "lr must be positive"),
        ("tent(steps=0)", "steps must be at least 1"),
        ("tent(order=given, orders=3)", "all orders are the same"),
        ("batches(size=1, orders=3)", "one image at a time, without memory, all orders are the same"),
        ("tent(orders=0)", "orders must be at least 1"),
    ],
)
def test_a_wrong_text_is_refused(tmp_path: Path, adapt: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        evaluate("digits_standard", adapt=adapt, store=tmp_path / "store")
    assert words in str(refused.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attacks": ["pgd"]}, "an attack on one image would change the answers to others"),
        ({"corruptions": ["tilt_sequence"]}, "its frames would be a stream of their own"),
        ({"attacks": ["none"], "batch_size": 8}, "batch_size would contradict tent(batch_size=50)"),
        ({"attacks": ["none"], "precision": "float16"}, "in float32"),
        ({"attacks": ["none"], "compile": True}, "compiled copy would not adapt"),
        ({"attacks": ["none"], "target_ci": 0.5}, "shuffle_shards and target_ci"),
    ],
)
def test_what_contradicts_a_stream_is_refused(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        evaluate("digits_standard", benchmarks=["digits"], adapt="tent(batch_size=50)", store=tmp_path, **options)
    assert words in str(refused.value)


def test_gradual_without_a_corruption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="clean images have none"):
        evaluate(
            "digits_standard", benchmarks=["digits"], attacks=["none"], adapt="tent(order=gradual)", store=tmp_path
        )


def test_a_network_without_batch_norm_cannot_adapt(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    with pytest.raises(ModelError, match="has no batch norm"):
        run(tmp_path, network, "bn1")
    with pytest.raises(ModelError, match="neither scale nor shift"):
        run(tmp_path, nn.Sequential(nn.BatchNorm2d(3, affine=False), network), "tent")


def test_a_network_that_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    network.last = network[1].weight * 2  # a tensor with a history
    model = load_classifier(network.eval(), input_size=32)
    with pytest.raises(ModelError, match="cannot be copied, so its state could not be restored"):
        evaluate(model, benchmarks=["digits"], attacks=["none"], adapt="batches(size=8)", store=tmp_path)


def test_state_outside_of_the_module_is_found(normed: Normed, tmp_path: Path) -> None:
    network = NoRunningStatistics(normed)
    weights = network.network.head.bias

    def leak(module: nn.Module, inputs: tuple, outputs: torch.Tensor) -> None:
        del module, inputs
        if len(outputs) == 50:  # not the images of noise
            weights.data += 0.1

    network.register_forward_hook(leak)
    model = load_classifier(network.eval(), input_size=32)
    with pytest.raises(ModelError, match="the weights were changed during the evaluation"):
        evaluate(model, benchmarks=["digits"], attacks=["none"], adapt="batches(size=50)", limit=COUNT, store=tmp_path)


def test_a_last_batch_that_is_too_small_ends_in_one_sentence(tmp_path: Path) -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 10))
    assert run(tmp_path, network, "bn1(batch_size=50, order=given)").scores
    with pytest.raises(EvaluationError, match="failed on a batch of 1 images under bn1") as failed:
        run(tmp_path, network, "bn1(batch_size=33, order=given)")
    assert "too small" in failed.value.hint


def test_memory_that_runs_out_never_changes_the_batch_size(normed: Normed, tmp_path: Path) -> None:
    class Heavy(NoRunningStatistics):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) > 32:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images)

    with pytest.raises(RobustEvalError, match="emory is too small") as failed:
        run(tmp_path, Heavy(normed), "batches(size=50, order=given)")
    assert "another protocol" in failed.value.hint
    assert run(tmp_path, Heavy(normed), "batches(size=20, order=given)").scores


def test_a_network_that_draws_is_seeded_and_flagged(tmp_path: Path) -> None:
    class Noisy(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images + 0.3 * torch.randn_like(images))

    network = Noisy(nn.Flatten(), nn.Linear(3072, 10))
    found = []
    for name in ("one", "two"):
        (score,) = accuracies(run(tmp_path / name, network, "batches(size=50, order=given)").scores)
        assert "random_output: 50" in score.flags
        found.append(column(tmp_path / name, "none", "margin"))
    assert found[0] == found[1]


def test_images_are_loaded_batch_by_batch(normed: Normed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = device_runtime.fetched

    def counting(images, rows, device):
        sizes.append(len(rows))
        return real(images, rows, device)

    monkeypatch.setattr(device_runtime, "fetched", counting)
    monkeypatch.setattr("robustbench_eff.evaluation.stream_worker.fetched", counting)
    run(tmp_path, normed, "tent(batch_size=30)")
    assert sizes
    assert max(sizes) <= 30


def test_a_store_keeps_what_a_stream_was(normed: Normed, tmp_path: Path) -> None:
    run(tmp_path, normed, "tent(batch_size=50)")
    (cell,) = Store(tmp_path).cells().values()
    stored = {
        name: cell.configuration["adaptation"][name] for name in ("name", "batch_size", "order", "reset", "orders")
    }
    assert stored == {"name": "tent", "batch_size": 50, "order": "iid", "reset": "never", "orders": 3}
    assert (cell.orders, cell.seed) == (3, 0)
