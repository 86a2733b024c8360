"""SAT's TensorFlow checkpoints: read from bundles that are written here in the format, and mapped one to one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from robustbench_eff import load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import MissingInputs, ModelError
from robustbench_eff.models.sources import sat_architectures
from robustbench_eff.models.sources.sat_variables import state_of
from robustbench_eff.models.sources.tf_bundle import read_bundle
from sat_bundles import write_bundle

STAGES = ((1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320))
"""EfficientNet-B0 (Tan & Le 2019, table 1): blocks, kernel, expansion, channels."""
SCALING = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
    "bL1": (3.9, 3.7),
}
PIXELS = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600, "bL1": 600}
TENSORS = {"b0": 311, "b7": 1037, "bL1": 1189}


def rounded(channels: float, width: float) -> int:
    """To a multiple of 8, never down by more than a tenth."""
    scaled = channels * width
    found = max(8, int(scaled + 4) // 8 * 8)
    return found + 8 if found < 0.9 * scaled else found


def shapes(size: str = "b0") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the variables of an EfficientNet, by the paper's scaling and TensorFlow's numbering."""
    width, depth = SCALING[size]
    found: dict[str, tuple[int, ...]] = {}

    def norm(scope: str, channels: int) -> None:
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"{scope}/{name}"] = (1, 1, 1, 1, channels)

    scope, number, inputs = f"efficientnet-{size}", 0, rounded(32, width)
    found[f"{scope}/stem/conv2d/kernel"] = (3, 3, 3, inputs)
    norm(f"{scope}/stem/tpu_batch_normalization", inputs)
    for blocks, kernel, expansion, channels in STAGES:
        outputs = rounded(channels, width)
        for _ in range(math.ceil(blocks * depth)):
            at, inner = f"{scope}/blocks_{number}", inputs * expansion
            ones, norms = [], []
            if expansion > 1:
                ones, norms = [(1, 1, inputs, inner)], [inner]
            ones, norms = [*ones, (1, 1, inner, outputs)], [*norms, inner, outputs]
            for place, shape in enumerate(ones):
                found[f"{at}/conv2d{f'_{place}' if place else ''}/kernel"] = shape
            for place, width_of in enumerate(norms):
                norm(f"{at}/tpu_batch_normalization{f'_{place}' if place else ''}", width_of)
            found[f"{at}/depthwise_conv2d/depthwise_kernel"] = (kernel, kernel, inner, 1)
            squeezed = max(1, inputs // 4)
            found |= {f"{at}/se/conv2d/kernel": (1, 1, inner, squeezed), f"{at}/se/conv2d/bias": (squeezed,)}
            found |= {f"{at}/se/conv2d_1/kernel": (1, 1, squeezed, inner), f"{at}/se/conv2d_1/bias": (inner,)}
            number, inputs = number + 1, outputs
    head = rounded(1280, width)
    found[f"{scope}/head/conv2d/kernel"] = (1, 1, inputs, head)
    norm(f"{scope}/head/tpu_batch_normalization", head)
    found |= {f"{scope}/head/dense/kernel": (head, 1000), f"{scope}/head/dense/bias": (1000,)}
    return found


def variables() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    made = {name: random.uniform(0.5, 1.5, size=shape).astype(np.float32) for name, shape in shapes().items()}
    return {name: value - 1 if name.endswith("kernel") else value for name, value in made.items()}


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    values = {f"scope/part_{row}/kernel": np.full((2, row + 1), row, np.float32) for row in range(120)}
    values |= {"global_step": np.array(7, np.int64), "counts": np.arange(3, dtype=np.int32)}
    found = read_bundle(write_bundle(tmp_path / "model.ckpt-1", values))
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert np.array_equal(found[name], value), name
        assert found[name].dtype == value.dtype


@pytest.mark.parametrize("size", SCALING)
def test_variables_map_one_to_one_on_timms_efficientnets(size: str) -> None:
    with torch.device("meta"):
        module, pixels = sat_architectures.build(f"efficientnet-{size}", {})
    assert pixels == PIXELS[size]
    empty = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes(size).items()}
    state, notes = state_of(empty, module, Path("here"))
    wanted = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    assert state.keys() == wanted
    assert len(state) == len(empty) == TENSORS.get(size, len(wanted))
    assert notes == ()


def test_values_go_where_they_belong(tmp_path: Path) -> None:
    """A convolution and a dense layer of TensorFlow, computed by hand, and by the layers they became."""
    values = variables()
    module = timm.create_model("tf_efficientnet_b0", bn_eps=1e-5).eval()
    state, _ = state_of(values, module, tmp_path)
    patch = np.random.default_rng(1).normal(size=(3, 3, 3)).astype(np.float32)
    kernel = values["efficientnet-b0/stem/conv2d/kernel"]
    by_hand = np.einsum("hwc,hwco->o", patch, kernel)
    layer = torch.nn.functional.conv2d(torch.tensor(patch).permute(2, 0, 1)[None], state["conv_stem.weight"])
    assert np.allclose(layer.flatten(), by_hand, atol=1e-5)
    depthwise = values["efficientnet-b0/blocks_0/depthwise_conv2d/depthwise_kernel"]
    assert np.array_equal(state["blocks.0.0.conv_dw.weight"][5, 0], depthwise[:, :, 5, 0])
    features = np.random.default_rng(2).normal(size=1280).astype(np.float32)
    dense = features @ values["efficientnet-b0/head/dense/kernel"]
    assert np.allclose(state["classifier.weight"] @ torch.tensor(features), dense, atol=1e-4)
    gamma = values["efficientnet-b0/blocks_3/tpu_batch_normalization_2/gamma"]
    assert np.array_equal(state["blocks.2.0.bn3.weight"], gamma.reshape(-1))


def test_a_published_model_is_evaluated_from_its_checkpoint_and_converted(tmp_path: Path) -> None:
    values = variables() | {"global_step": np.array(9, np.int64)}
    values |= {"efficientnet-b0/stem/conv2d/kernel/RMSProp": np.zeros((3, 3, 3, 32), np.float32)}
    index = write_bundle(tmp_path / "model.ckpt-9", values)
    classifier = load_classifier("sat_effnet_b0", weights=index)
    assert classifier.num_classes == 1000
    notes = ("weights from model.ckpt-9.index, a TensorFlow checkpoint", "2 variables of training left out")
    assert classifier.provenance.notes == notes
    out = tmp_path / "sat.safetensors"
    result = CliRunner().invoke(app, ["convert", "sat_effnet_b0", str(index), "--out", str(out)])
    assert (result.exit_code, "tensors written to" in result.output) == (0, True)
    again = load_classifier("sat_effnet_b0", weights=out)
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again(images), classifier(images))
    assert load_file(out)["conv_stem.weight"].shape == (32, 3, 3, 3)


def test_the_moving_average_of_a_variable_is_taken(tmp_path: Path) -> None:
    values = variables()
    values["efficientnet-b0/head/dense/bias/ExponentialMovingAverage"] = np.full(1000, 7, np.float32)
    module, _ = sat_architectures.build("efficientnet-b0", {})
    state, notes = state_of(values, module, tmp_path)
    assert (state["classifier.bias"] == 7).all() and notes[0] == "the moving averages of the weights"


def test_another_size_or_another_model_is_said(tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "b0", variables())
    with pytest.raises(ModelError, match=r"which does not give|does not contain a variable|of no known part"):
        load_classifier("sat_effnet_b1", weights=index)
    other = write_bundle(tmp_path / "other", {"conv0/W": np.zeros((7, 7, 3, 64), np.float32)})
    with pytest.raises(ModelError, match="does not contain an EfficientNet of SAT"):
        load_classifier("sat_effnet_b0", weights=other)
    more = variables() | {"efficientnet-b0/blocks_99/conv2d/kernel": np.zeros((1, 1, 2, 2), np.float32)}
    with pytest.raises(ModelError, match="1 variables of no known part, such as efficientnet-b0/blocks_99"):
        load_classifier("sat_effnet_b0", weights=write_bundle(tmp_path / "more", more))


def test_wrong_files_get_a_sentence(tmp_path: Path) -> None:
    values = {"a": np.zeros(10, np.float32), "b": np.ones(4, np.float32)}
    index = write_bundle(tmp_path / "model", values)
    data, content = tmp_path / "model.data-00000-of-00001", index.read_bytes()
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"does not contain all of b.\nIs it truncated"):
        read_bundle(index)
    for wrong in (b"", b"no table at all" * 10, content[:20] + content[-48:]):
        index.write_bytes(wrong)
        with pytest.raises(ModelError, match="is not the index of a TensorFlow checkpoint"):
            read_bundle(index)
    for options, words in (({"shards": 2}, "one little-endian file"), ({"compressed": 1}, "it is compressed")):
        with pytest.raises(ModelError, match=words):
            read_bundle(write_bundle(tmp_path / "model", values, **options))
    data.unlink()
    with pytest.raises(ModelError, match=r"needs model.data-00000-of-00001 in the same folder"):
        read_bundle(index)


def test_convert_says_what_is_wrong(tmp_path: Path) -> None:
    def run(*words: str):
        return CliRunner().invoke(app, ["convert", *words])

    answer = run("sat_effnet_b0", "x.index", "--out", "x.pt")
    assert (answer.exit_code, "--out must be a .safetensors file" in answer.output) == (2, True)
    answer = run("sat_effnet_b0", str(tmp_path / "x.index"), "--out", str(tmp_path / "x.safetensors"))
    assert (answer.exit_code, "missing" in answer.output) == (2, True)
    with pytest.raises(
        MissingInputs, match=r"--weights FILE, the NAME.index of the checkpoint with its other two files"
    ):
        load_classifier("sat_effnet_b0")
