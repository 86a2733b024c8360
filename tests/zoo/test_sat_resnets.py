"""SAT's ResNets: tensorpack's variables mapped one to one, and computed as TensorFlow computes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from robustbench_eff import load_classifier
from robustbench_eff.core.errors import ModelError
from robustbench_eff.models import aliases
from robustbench_eff.models.sources import sat_architectures
from robustbench_eff.models.sources.sat_variables import state_of
from sat_bundles import write_bundle

RESNETS = [alias for alias in aliases.aliases().values() if alias.name.startswith("sat_res")]
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def shapes(target: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the variables, as tensorpack's layers make them from the depth, groups and activation."""
    kind, activation, *rest = target.split("-")
    groups, width = (32, int(rest[-1][3])) if kind.startswith("ResX") else (1, 64)
    found: dict[str, tuple[int, ...]] = {}

    def convolution(scope: str, side: int, inputs: int, outputs: int, *, acts: bool = True) -> None:
        found[f"{scope}/W"] = (side, side, inputs, outputs)
        for name in ("gamma", "beta", "mean/EMA", "variance/EMA"):
            found[f"{scope}/bn/{name}"] = (outputs,)
        if acts and activation == "smoothrelu":
            found[f"{scope}/smoothrelu_beta"] = (1,)

    convolution("conv0", 7, 3, 64)
    inputs = 64
    for group, blocks in enumerate(BLOCKS[int(kind.strip("ResX"))]):
        outputs = 64 * 2**group
        inner = outputs * (width * groups // 64)
        for block in range(blocks):
            scope = f"group{group}/block{block}"
            convolution(f"{scope}/conv1", 1, inputs, inner)
            convolution(f"{scope}/conv2", 3, inner // groups, inner)
            convolution(f"{scope}/conv3", 1, inner, 4 * outputs, acts=False)
            if block == 0:
                convolution(f"{scope}/convshortcut", 1, inputs, 4 * outputs, acts=False)
            if activation == "smoothrelu":
                found[f"{scope}/smoothrelu_beta"] = (1,)
            inputs = 4 * outputs
    return found | {"linear/W": (2048, 1000), "linear/b": (1000,)}


def variables(target: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {}
    for name, shape in shapes(target).items():
        spread = np.sqrt(2 / np.prod(shape[:3])) if name.endswith("/W") else 0.1
        around = 1.0 if name.endswith(("gamma", "variance/EMA")) else 0.0
        found[name] = (around + spread * random.normal(size=shape)).astype(np.float32)
        if name.endswith("smoothrelu_beta"):
            found[name] = random.uniform(10, 20, size=shape).astype(np.float32)
    return found


def as_tensorflow(values: dict[str, np.ndarray], target: str, pixels: Tensor) -> Tensor:
    """The logits of RGB images in [0, 1], from the variables alone."""
    _, name, *_ = target.split("-")
    groups = 32 if target.startswith("ResX") else 1

    def tensor(key: str) -> Tensor:
        return torch.tensor(values[key])

    def activation(inputs: Tensor, scope: str) -> Tensor:
        if name == "smoothrelu":
            sharpness = tensor(f"{scope}/smoothrelu_beta") ** 2
            return functional.relu(inputs - torch.log(inputs.abs() * sharpness + 1) / sharpness)
        if name == "gelu":
            return inputs * 0.5 * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (inputs + 0.044715 * inputs**3)))
        if name == "mish":
            return inputs * torch.tanh(functional.softplus(inputs))
        return {
            "relu": functional.relu,
            "silu": functional.silu,
            "softplus": functional.softplus,
            "elu": functional.elu,
        }[name](inputs)

    def layer(inputs: Tensor, scope: str, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = tensor(f"{scope}/W").permute(3, 2, 0, 1)
        side = kernel.shape[-1] // 2
        found = functional.conv2d(inputs, kernel, stride=stride, padding=side, groups=groups)
        norm = [tensor(f"{scope}/bn/{part}") for part in ("mean/EMA", "variance/EMA", "gamma", "beta")]
        return functional.batch_norm(found, *norm, eps=1e-5)

    current = activation(layer(pixels.flip(1) * 2 - 1, "conv0", 2), "conv0")
    current = functional.max_pool2d(functional.pad(current, (0, 1, 0, 1), value=-torch.inf), 3, 2)
    for group, blocks in enumerate(BLOCKS[50]):
        for block in range(blocks):
            scope, stride = f"group{group}/block{block}", 2 if group and not block else 1
            inner = activation(layer(current, f"{scope}/conv1"), f"{scope}/conv1")
            inner = activation(layer(inner, f"{scope}/conv2", stride, groups), f"{scope}/conv2")
            kept = current if block else layer(current, f"{scope}/convshortcut", stride)
            current = activation(layer(inner, f"{scope}/conv3") + kept, scope)
    return current.mean((2, 3)) @ tensor("linear/W") + tensor("linear/b")


@pytest.mark.parametrize("target", [alias.target for alias in RESNETS])
def test_variables_map_one_to_one_on_timms_resnets(target: str) -> None:
    with torch.device("meta"):
        module, size = sat_architectures.build(target, {})
    assert size == next((int(word) for word in target.split("-") if word.isdigit()), 224)
    empty = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes(target).items()}
    state, notes = state_of(empty, module, Path("here"))
    assert state.keys() == {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    assert len(state) == len(empty) and notes == ()


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "smoothrelu",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("silu", "gelu", "elu", "softplus", "mish")),
        "silu-32x4d",
    ],
)
def test_a_checkpoint_computes_what_tensorflow_would(tmp_path: Path, name: str) -> None:
    target = f"ResX50-{name}" if name.endswith("d") else f"Res50-{name}"
    alias = next(alias.name for alias in RESNETS if alias.target == target)
    values = variables(target)
    training = {"conv0/W/Momentum": values["conv0/W"], "learning_rate": np.array(0.1, np.float32)}
    index = write_bundle(
        tmp_path / "model-100", values | training | {"tower0/xentropy-loss/EMA": np.zeros(1, np.float32)}
    )
    classifier = load_classifier(alias, weights=index)
    assert classifier.provenance.notes[-1] == "3 variables of training left out"
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, wanted = classifier(pixels), as_tensorflow(values, target, pixels)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert not torch.allclose(classifier(pixels.flip(1)), wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max()))


def test_another_resnet_is_said(tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "relu", variables("Res50-relu"))
    with pytest.raises(ModelError, match=r"does not contain a variable group2/block6/conv1/W"):
        load_classifier("sat_resnet101_silu", weights=index)
    with pytest.raises(ModelError, match=r"does not contain a variable conv0/smoothrelu_beta"):
        load_classifier("sat_resnet50_smoothrelu", weights=index)
    with pytest.raises(ModelError, match=r"which does not give"):
        load_classifier("sat_resnext50_silu_32x4d", weights=index)
    smooth = write_bundle(tmp_path / "smooth", variables("Res50-smoothrelu"))
    with pytest.raises(ModelError, match=r"variables of no known part, such as conv0/smoothrelu_beta"):
        load_classifier("sat_resnet50_relu", weights=smooth)
    with pytest.raises(ModelError, match="does not contain an EfficientNet"):
        load_classifier("sat_effnet_b0", weights=index)
