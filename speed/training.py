"""Compare a step of the trainer with a minimal loop of the same passes: python speed/training.py

For adversarial training and AdvProp, alternates in one process between an epoch of ours and as many steps of a minimal
loop, which gets augmented images and draws from the global generator. Prints, and writes as JSON with --out, the median
milliseconds per step and the median ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.func import functional_call

import record
from robustbench_eff.defenses.adversarial import AdversarialTraining
from robustbench_eff.defenses.advprop import AdvProp
from robustbench_eff.defenses.auxiliary_batch_norm import WithAuxiliary
from robustbench_eff.defenses.recipe import Recipe
from robustbench_eff.defenses.schedule import Schedule
from robustbench_eff.defenses.trainer import Training, train
from robustbench_eff.defenses.training_batch import Samples
from robustbench_eff.models import architectures
from robustbench_eff.system import devices

EPS, STEPS = 8 / 255, 3
NETWORKS = ("small_cnn(width=16)", "effnet_micro", "timm:resnet18")
Step = Callable[[nn.Module, torch.optim.Optimizer, Tensor, Tensor], None]


def main() -> None:
    """Time both recipes on every network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    record.add_option(parser)
    arguments = parser.parse_args()
    devices.keep_freed_memory()
    torch.set_num_threads(1)
    races: dict[str, tuple[Recipe, Step]] = {
        "pgd_at": (AdversarialTraining(eps=EPS, steps=STEPS, step_size=EPS / 2), bare_adversarial),
        "advprop": (AdvProp(eps=EPS, steps=STEPS, step_size=EPS / 2), bare_advprop),
    }
    rows = []
    for network in arguments.networks:
        for name, (recipe, step) in races.items():
            pairs = [_pair(network, recipe, step, arguments) for _ in range(arguments.repeats + 1)][1:]
            ours, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
            ratio = statistics.median(first / second for first, second in pairs)
            rows.append({"network": network, "recipe": name, "ours_ms": ours, "bare_ms": bare, "ratio": ratio})
            print(f"{network:20} {name:8} ours {ours:8.2f} ms  bare {bare:8.2f} ms  ratio {ratio:.3f}", flush=True)
    if arguments.out is not None:
        facts = devices.describe(arguments.device)
        facts |= {"batch": arguments.batch, "attack_steps": STEPS, "precision": arguments.precision}
        record.write(arguments.out, facts | {"rows": rows})


def _pair(network: str, recipe: Recipe, step: Step, arguments: argparse.Namespace) -> tuple[float, float]:
    """Return the milliseconds per step of ours and of the minimal loop."""
    count = arguments.batch * arguments.steps
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (count,), generator=generator)
    training = Training(
        recipe=recipe,
        schedule=Schedule(epochs=1, batch_size=arguments.batch, precision=arguments.precision),
        samples=Samples(pixels=pixels, labels=labels, num_classes=10).to(arguments.device),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    _, epochs = train(architectures.build(network, 10).to(arguments.device), training)
    ours = epochs[0].seconds * 1000 / arguments.steps
    module = architectures.build(network, 10).to(arguments.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = recipe.prepare(module).train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    images = (pixels.permute(0, 3, 1, 2).float() / 255).to(arguments.device, memory_format=torch.channels_last)
    labels = labels.to(arguments.device)
    with torch.autocast(arguments.device.partition(":")[0], torch.bfloat16, enabled=arguments.precision == "bfloat16"):
        _finish(arguments.device)
        began = time.perf_counter()
        for first in range(0, count, arguments.batch):
            step(module, optimizer, images[first : first + arguments.batch], labels[first : first + arguments.batch])
        _finish(arguments.device)
    return ours, (time.perf_counter() - began) * 1000 / arguments.steps


def bare_adversarial(module: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """Run PGD in eval mode, then one update."""
    module.eval()
    attacked = _attacked(lambda current: module((current - 0.5) / 0.5), images, labels)
    module.train()
    loss = functional.cross_entropy(module((attacked - 0.5) / 0.5), labels, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def bare_advprop(module: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """Run PGD through the auxiliary batch norms, then one update on clean and adversarial images."""
    assert isinstance(module, WithAuxiliary)
    other = module.norms(1)

    def through_other(current: Tensor) -> Tensor:
        logits: Tensor = functional_call(module.main, other, ((current - 0.5) / 0.5,))
        return logits

    module.eval()
    attacked = _attacked(through_other, images, labels)
    module.train()
    loss = functional.cross_entropy(module.main((images - 0.5) / 0.5), labels, label_smoothing=0.1)
    loss = loss + functional.cross_entropy(through_other(attacked), labels, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _attacked(classify: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
    current = (images + EPS * (2 * torch.rand_like(images) - 1)).clamp(0, 1)
    for _ in range(STEPS):
        current.requires_grad_()
        (gradient,) = torch.autograd.grad(functional.cross_entropy(classify(current), labels), current)
        moved = current.detach() + EPS / 2 * gradient.sign()
        current = torch.clamp(moved, images - EPS, images + EPS).clamp(0, 1)
    return current


def _finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
