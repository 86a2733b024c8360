"""The loop: what it is a function of, what it resumes, when it stops."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from safetensors.torch import load_file

from robustbench_eff.core import rng
from robustbench_eff.core.errors import DataError, SpecError, TrainingError
from robustbench_eff.defenses.adversarial import AdversarialTraining
from robustbench_eff.defenses.fast import Fast
from robustbench_eff.defenses.free import Free
from robustbench_eff.defenses.noisy_student import NoisyStudent
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.standard import Standard
from robustbench_eff.defenses.trainer import ValidationMetrics, train
from robustbench_eff.defenses.training_batch import order
from robustbench_eff.defenses.training_state import Epoch
from trainings import digits, small_net, training

SUPPORT = Path(__file__).parents[1] / "support"


class StoppedError(Exception):
    """In the middle of a training."""


def stop_after(number: int):
    def on_epoch(epoch: Epoch, _: int) -> None:
        if epoch.number == number:
            raise StoppedError

    return on_epoch


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    states = first.state_dict(), second.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


def test_it_is_the_loop_one_would_write() -> None:
    """Order, learning rate, weight decay and momentum, against torch's own parts."""
    plan = training(Standard(), epochs=3, max_shift=0, label_smoothing=0.1, weight_decay=0.01, warmup=0.2)
    module, epochs = train(small_net(), plan)
    plain = small_net().train().to(memory_format=torch.channels_last)
    weights = [item for item in plain.parameters() if item.ndim > 1]
    others = [item for item in plain.parameters() if item.ndim <= 1]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    samples, losses = digits(), []
    for step in range(9):
        share = step / 9
        warm = (share + 1e-4) / (0.2 + 1e-4)
        rate = warm if share < 0.2 else 0.5 * (1 + math.cos(math.pi * (share - 0.2) / 0.8))
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * rate
        rows = order(96, 0, step // 3)[step % 3 * 32 :][:32]
        loss = functional.cross_entropy(
            plain((samples.images(rows) - 0.5) / 0.5), samples.labels[rows], label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for found, expected in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected)
    expected_losses = [sum(losses[start : start + 3]) / 3 for start in (0, 3, 6)]
    assert [epoch.loss for epoch in epochs] == pytest.approx(expected_losses, rel=1e-5)


@pytest.mark.parametrize(
    "recipe", [AdversarialTraining(steps=1), Free(replays=2), NoisyStudent()], ids=lambda recipe: type(recipe).__name__
)
def test_a_resumed_training_gives_the_weights_of_an_undisturbed_one(recipe: object, tmp_path: Path) -> None:
    """Perturbations that go on, means of weights and dropout included."""
    plan = training(recipe, epochs=3, ema_decay=0.9)
    undisturbed, epochs = train(small_net(), plan)
    with pytest.raises(StoppedError):
        train(small_net(), plan, resume=tmp_path / "training.pt", on_epoch=stop_after(2))
    resumed, later = train(small_net(3 + 1), plan, resume=tmp_path / "training.pt")
    assert same(undisturbed, resumed)
    assert [epoch.loss for epoch in later] == [epoch.loss for epoch in epochs]
    again, _ = train(small_net(), plan, resume=tmp_path / "training.pt")
    assert same(undisturbed, again)


RUN = "from robustbench_eff.cli import main; main()"
RUN_UNTIL_THE_FIRST_CHECKPOINT = """
import os, signal
from robustbench_eff.defenses import trainer
save = trainer.save
def save_and_die(path, checkpoint):
    save(path, checkpoint)
    os.kill(os.getpid(), signal.SIGKILL)
trainer.save = save_and_die
"""


def test_a_training_killed_with_9_and_repeated_gives_the_same_file(tmp_path: Path) -> None:
    """The training kills itself, so that no clock decides how far it gets."""

    def run(folder: str, program: str) -> int:
        words = ["train", "--defense", "sat(eps=8/255)", "--schedule", "epochs=6", "--limit", "256", "--seed", "1"]
        command = [sys.executable, "-c", program, *words, "--out", str(tmp_path / folder)]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    assert run("whole", RUN) == 0
    assert run("killed", RUN_UNTIL_THE_FIRST_CHECKPOINT + RUN) == -signal.SIGKILL
    assert (tmp_path / "killed" / "training-0.pt").exists() and not (tmp_path / "killed" / "model.json").exists()
    assert run("killed", RUN) == 0
    files = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("whole", "killed")]
    assert files[0] == files[1] and load_file(tmp_path / "whole" / "model.safetensors")
    assert not list((tmp_path / "killed").glob("*.pt*"))


PROGRAM = """
import glob, json, sys, torch
from robustbench_eff.defenses.adversarial import AdversarialTraining
from robustbench_eff.defenses.distributed import process_group
from robustbench_eff.defenses.trainer import train
from trainings import training
torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 8), torch.nn.GELU(), torch.nn.Linear(8, 10))
generator = torch.Generator().manual_seed(0)
for parameter in net.parameters():
    parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
with process_group("cpu") as processes:
    plan = training(AdversarialTraining(steps=2), epochs=4, learning_rate=0.02)
    _, epochs = train(net, plan, processes=processes)
    if processes.first:
        with open(sys.argv[1], "w") as file:
            json.dump([processes.count, [epoch.loss for epoch in epochs]], file)
names = [open(path).read() for path in glob.glob("/proc/self/task/*/comm")]
assert not any("gloo" in name for name in names), f"threads of the process group are left: {names}"
"""
LOOPBACK = ["--local-addr", "127.0.0.1", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
"""torchrun's rendezvous without a look-up of the machine's own name; the store takes a free port by itself."""
PATIENT = ["--rdzv-conf", "read_timeout=900,join_timeout=900,keep_alive_interval=60"]
"""torchrun gives up on a store that does not answer for a minute, and on heartbeats that are 15 seconds late."""


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_the_doubled_batch(tmp_path: Path) -> None:
    """A network without batch norms: those see the images of their own process alone.

    The losses come back in a file, since libraries may print, and gloo is told to stay on the loopback interface.
    """
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "OMP_NUM_THREADS": "1"}
    environment |= {"GLOO_SOCKET_IFNAME": next(name for _, name in socket.if_nameindex() if name.startswith("lo"))}
    torchrun = [sys.executable, "-m", "torch.distributed.run", *LOOPBACK, *PATIENT, "--nproc-per-node", "2"]
    losses = []
    for count, command in ((1, [sys.executable]), (2, torchrun)):
        out = tmp_path / f"{count}.json"
        done = subprocess.run([*command, str(program), str(out)], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        processes, found = json.loads(out.read_text())
        assert processes == count
        losses.append(found)
    assert len(losses[0]) == 4 and losses[0][-1] < losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def looks(*robust: float):
    numbers = iter(robust)
    return lambda module: ValidationMetrics(clean=0.9, robust=next(numbers))


def test_a_collapse_under_attack_ends_adversarial_training_with_the_epoch_before_kept(tmp_path: Path) -> None:
    plan, file = training(Fast(), epochs=4), tmp_path / "training.pt"
    with pytest.raises(TrainingError, match=r"Catastrophic overfitting in epoch 3: .*80.0% to 10.0%"):
        train(small_net(), plan, validate=looks(0.5, 0.8, 0.1), resume=file)
    assert torch.load(file, weights_only=True)["step"] == 2 * plan.per_epoch
    _, epochs = train(small_net(), training(Fast(), epochs=4), validate=looks(0.5, 0.8, 0.7, 0.61))
    assert len(epochs) == 4
    train(small_net(), training(Standard(), epochs=4), validate=looks(0.5, 0.8, 0.1, 0))


def test_fast_training_that_overfits_is_found_under_pgd_while_fgsm_looks_well() -> None:
    """Steps that are too long: after some epochs FGSM finds most right, PGD nothing."""
    from robustbench_eff.attacks import FGSM, PGD

    samples, eps = digits(1024), 0.2
    images, labels = samples.images(torch.arange(128)), samples.labels[:128]

    def validate(module: torch.nn.Module) -> ValidationMetrics:
        def classify(pixels: torch.Tensor) -> torch.Tensor:
            return module((pixels - 0.5) / 0.5)

        found = [attack(classify, images, labels) for attack in (FGSM(eps=eps), PGD(eps=eps, steps=10))]
        one_step, robust = ((classify(each).argmax(1) == labels).float().mean().item() for each in found)
        return ValidationMetrics(clean=1, robust=robust, one_step=one_step)

    plan = training(Fast(eps=eps, step_size=2 * eps), samples=samples, epochs=20, learning_rate=0.2, max_shift=0)
    with pytest.raises(TrainingError, match=r"Catastrophic overfitting in epoch \d+: .* under one step, but"):
        train(small_net(8), plan, validate=validate)


def test_an_infinite_loss_is_said_and_not_trained_on() -> None:
    with pytest.raises(TrainingError, match="not finite in epoch 1"):
        train(small_net(), training(Standard(), learning_rate=1e30))


def test_the_mean_of_weights_is_what_is_kept() -> None:
    weights = []
    kept, _ = train(small_net(), training(Standard(), epochs=2, ema_decay=0.7))

    class Spy(Standard):
        def losses(self, network, batch):
            yield from Standard.losses(self, network, batch)
            weights.append(network.module.classifier.weight.detach().clone())

    train(small_net(), training(Spy(), epochs=2))
    mean = weights[0]
    for weight in weights[1:]:
        mean = 0.7 * mean + 0.3 * weight
    torch.testing.assert_close(kept.classifier.weight, mean)


def test_bfloat16_trains_in_float32_weights() -> None:
    module, epochs = train(small_net(), training(Standard(), precision="bfloat16"))
    assert module.classifier.weight.dtype == torch.float32 and math.isfinite(epochs[-1].loss)


def test_a_part_of_an_epoch_can_be_trained() -> None:
    plan = training(Standard(), epochs=1.7)
    assert plan.num_steps == 5
    _, epochs = train(small_net(), plan)
    assert [epoch.number for epoch in epochs] == [1, 2]


def test_every_sample_is_seen_once_in_an_epoch_and_in_another_order_in_the_next() -> None:
    first, second = order(10, 0, 0), order(10, 0, 1)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert first.tolist() != second.tolist() and first.tolist() != order(10, 1, 0).tolist()


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"epochs": 0}, "epochs must be > 0"), ({"momentum": 2}, "momentum"), ({"ema_decay": 1}, "ema_decay")],
)
def test_a_wrong_schedule_is_refused(fields: dict[str, float], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Schedule(**fields)


def test_too_few_images_for_a_batch_are_refused() -> None:
    with pytest.raises(DataError, match="96 images for batches of 128"):
        training(Standard(), batch_size=128)


def test_draws_of_a_step_are_the_same_for_a_sample_in_any_process() -> None:
    from trainings import a_batch

    whole, part = a_batch(20), a_batch(20, slice(10, 20))
    for stream in ("start", "other"):
        assert torch.equal(whole.uniform(stream)[10:], part.uniform(stream))
        assert torch.equal(whole.normal(stream)[10:], part.normal(stream))
    assert torch.equal(whole.draws().keys[10:], part.draws().keys)
    assert not torch.equal(whole.uniform("start"), whole.uniform("other"))
    assert torch.equal(whole.uniform("start"), torch.rand(20, 3, 32, 32, generator=rng.generator(0, "start", 3)))
