"""Networks of other runtimes: their answers are those of the runtime, and what they cannot do is said."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from robustbench_eff import load_classifier
from robustbench_eff.attacks.foolbox_adapter import FoolboxAttack
from robustbench_eff.attacks.pgd import PGD
from robustbench_eff.attacks.square import Square
from robustbench_eff.core.errors import ModelError, RobustEvalError, UsageError
from robustbench_eff.models.native_trial import check_survives
from small_onnx import answers, small_onnx
from small_tflite import small_tflite, weights

IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def one_thread_and_no_trial(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Files made here need no process of their own, but for the tests of that process."""
    if "trial" not in request.node.name:
        for source in ("onnx_files", "tflite_files"):
            monkeypatch.setattr(f"robustbench_eff.models.sources.{source}.check_survives", lambda *_: None)


def load(network: onnx.ModelProto | bytes, folder: Path, **options):
    content = network if isinstance(network, bytes) else network.SerializeToString()
    file = folder / "network"
    file.write_bytes(content)
    prefix = "tflite" if content[4:8] == b"TFL3" else "onnx"
    return load_classifier(f"{prefix}:{file}", device="cpu", **options)


@pytest.mark.parametrize("batch", ["batch", 1, 2, 4, 7])
def test_answers_do_not_depend_on_the_batches_that_an_onnx_file_takes(batch: str | int, tmp_path: Path) -> None:
    network = small_onnx((batch, 3, 8, 8))
    model = load(network, tmp_path)
    expected = answers(network, IMAGES.numpy())
    assert np.allclose(model(IMAGES), expected, atol=1e-6)
    for count in (1, 3):
        assert np.allclose(model(IMAGES[:count]), expected[:count], atol=1e-6)


def test_the_layout_type_and_normalisation_of_onnx_images_are_kept(tmp_path: Path) -> None:
    last = small_onnx(("batch", 8, 8, 3))
    assert np.allclose(load(last, tmp_path)(IMAGES), answers(last, IMAGES.numpy().transpose(0, 2, 3, 1)), atol=1e-6)
    plain = small_onnx()
    normalised = ((IMAGES - 0.5) / 0.25).numpy()
    assert np.allclose(load(plain, tmp_path, mean=[0.5], std=[0.25])(IMAGES), answers(plain, normalised), atol=1e-5)
    half = small_onnx(kind=TensorProto.FLOAT16)
    assert np.allclose(load(half, tmp_path)(IMAGES), answers(half, IMAGES.half().numpy()), atol=1e-5)
    whole = small_onnx(kind=TensorProto.UINT8)
    model = load(whole, tmp_path)
    assert np.allclose(model(IMAGES), answers(whole, np.rint(IMAGES.numpy() * 255)), rtol=1e-5, atol=1e-3)
    assert "bytes from 0 to 255" in model.provenance.notes[0]
    with pytest.raises(UsageError, match="takes bytes from 0 to 255, and no --mean"):
        load(whole, tmp_path, mean=[0.5], std=[0.25])


def test_a_network_of_one_channel_gets_one(tmp_path: Path) -> None:
    network = small_onnx(("batch", 1, 8, 8))
    model = load(network, tmp_path)
    assert model.preprocessing.channels == 1
    assert np.allclose(model(IMAGES[:, :1]), answers(network, IMAGES[:, :1].numpy()), atol=1e-6)


def test_probabilities_become_their_logarithms(tmp_path: Path) -> None:
    plain = answers(small_onnx(), IMAGES.numpy())
    expected = torch.from_numpy(plain).log_softmax(1)
    model = load(small_onnx(last="Softmax"), tmp_path)
    assert torch.allclose(model(IMAGES), expected, atol=1e-5)
    assert "it returns probabilities" in model.provenance.notes[-1]
    in_tflite = load(small_tflite(softmax=True), tmp_path)
    rows = IMAGES.permute(0, 2, 3, 1).flatten(1) @ torch.from_numpy(weights()).T
    assert torch.allclose(in_tflite(IMAGES), rows.log_softmax(1), atol=1e-5)


def test_the_background_of_tensorflow_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    network = small_onnx(classes=1001)
    model = load(network, tmp_path)
    assert (model.num_classes, model.provenance.label_space) == (1000, "imagenet")
    assert np.allclose(model(IMAGES), answers(network, IMAGES.numpy())[:, 1:], atol=1e-6)
    assert load(network, tmp_path, num_classes=1001).num_classes == 1001
    with pytest.raises(ModelError, match="has 1001 outputs, not the 10 of --num-classes"):
        load(network, tmp_path, num_classes=10)


def test_the_first_of_several_outputs_is_taken_and_said(tmp_path: Path) -> None:
    network = small_onnx((2, 3, 8, 8))
    network.graph.node.append(onnx.helper.make_node("Neg", ["logits"], ["others"]))
    network.graph.output.append(onnx.helper.make_tensor_value_info("others", TensorProto.FLOAT, [2, 5]))
    model = load(network, tmp_path)
    assert np.allclose(model(IMAGES), answers(network, IMAGES.numpy()), atol=1e-6)
    assert any("first tensor of its tuple of 2" in flag for flag in model.provenance.flags)


def test_an_attack_on_decisions_runs(tmp_path: Path) -> None:
    model = load(small_onnx(), tmp_path)
    attack = FoolboxAttack(name="BoundaryAttack", eps=None, options=(("steps", 3),))
    labels = model(IMAGES).argmax(1)
    assert (model(attack(model, IMAGES, labels)).argmax(1) != labels).any()


@pytest.mark.parametrize("batch", [1, 4])
def test_floats_of_tflite_are_answered_in_any_batch(batch: int, tmp_path: Path) -> None:
    model = load(small_tflite(batch=batch), tmp_path)
    expected = IMAGES.permute(0, 2, 3, 1).flatten(1) @ torch.from_numpy(weights()).T
    assert torch.allclose(model(IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "step", "black"),
    [("uint8", (1 / 127.5, 127), 0), ("int8", (1.0, -128), -128), ("int8", (1 / 255, -128), -128)],
)
def test_whole_numbers_of_tflite_span_black_to_white(kind: str, step: tuple[float, int], black: int, tmp_path) -> None:
    model = load(small_tflite(kind, step), tmp_path)
    assert f"black is {black} and white {black + 255}" in model.provenance.notes[0]
    stored = (np.rint(IMAGES.numpy() * 255) + black - step[1]) * step[0]
    expected = stored.transpose(0, 2, 3, 1).reshape(5, -1) @ weights().T
    assert np.allclose(model(IMAGES), expected, rtol=1e-4, atol=1e-3)


def test_whole_numbers_of_an_unusual_range_need_the_normalisation(tmp_path: Path) -> None:
    step = (4.8 / 255, -14)
    with pytest.raises(ModelError, match=r"stand for -2\.15 to 2\.65, .* no usual range") as refused:
        load(small_tflite("int8", step), tmp_path)
    assert "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225" in refused.value.hint
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    model = load(small_tflite("int8", step), tmp_path, mean=mean, std=std)
    real = ((IMAGES - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)).numpy()
    stored = (np.clip(np.rint(real / np.float32(step[0])) + step[1], -128, 127) - step[1]) * np.float32(step[0])
    assert np.allclose(model(IMAGES), stored.transpose(0, 2, 3, 1).reshape(5, -1) @ weights().T, atol=1e-3)


def test_a_model_is_known_by_the_content_of_its_file(tmp_path: Path) -> None:
    first = load(small_onnx(), tmp_path)
    assert load(small_onnx(), tmp_path).digest == first.digest
    assert not first.opaque
    assert load(small_onnx(last="Softmax"), tmp_path).digest != first.digest
    assert load(small_onnx(), tmp_path, mean=[0.5], std=[0.5]).preprocessing != first.preprocessing


@pytest.mark.parametrize("network", [small_onnx(), small_tflite()], ids=["onnx", "tflite"])
def test_a_classifier_can_be_sent_to_another_process(network, tmp_path: Path) -> None:
    model = load(network, tmp_path)
    expected = model(IMAGES)
    (tmp_path / "network").unlink()
    assert torch.equal(pickle.loads(pickle.dumps(model))(IMAGES), expected)


def test_weights_in_other_files_are_read_from_the_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    network = small_onnx()
    expected = answers(network, IMAGES.numpy())
    onnx.save(network, inner / "network", save_as_external_data=True, location="w.data", size_threshold=0)
    model = load_classifier(f"onnx:{inner / 'network'}", device="cpu")
    assert np.allclose(model(IMAGES), expected, atol=1e-6)
    (inner / "w.data").write_bytes(b"\0" * (inner / "w.data").stat().st_size)
    assert load_classifier(f"onnx:{inner / 'network'}", device="cpu").digest != model.digest
    (inner / "w.data").rename(tmp_path / "w.data")
    monkeypatch.chdir(tmp_path)  # onnxruntime itself would read it from there
    with pytest.raises(ModelError, match=r"w\.data cannot be read: No such file"):
        load_classifier(f"onnx:{inner / 'network'}", device="cpu")
    for place in ("../w.data", str(tmp_path / "w.data"), "link"):
        outside = onnx.load(inner / "network", load_external_data=False)
        outside.graph.initializer[0].external_data[0].value = place
        (inner / "other").write_bytes(outside.SerializeToString())
        if place == "link":
            (inner / "link").symlink_to(tmp_path / "w.data")
        with pytest.raises(ModelError, match="outside its folder"):
            load_classifier(f"onnx:{inner / 'other'}", device="cpu")


BROKEN = {
    "empty": (b"", "is not an ONNX file"),
    "text": (b"<html>not found</html>", "is not an ONNX file"),
    "cut": (small_onnx().SerializeToString()[:-900], "is not an ONNX file, or is damaged"),
    "flat": (small_onnx(("batch", 192)), r"takes tensor\(float\) of shape \('batch', 192\), not images"),
    "four channels": (small_onnx(("batch", 4, 8, 8)), "with neither 1 nor 3 channels"),
    "numbers": (small_onnx(kind=TensorProto.INT64), r"takes tensor\(int64\)"),
    "custom operator": (small_onnx(last="Mine", domain="mine"), "onnxruntime cannot load .*mine"),
    "tflite cut": (small_tflite()[:-1500], "ai-edge-litert cannot load"),
    "tflite head alone": (b"\x18\0\0\0TFL3", "ai-edge-litert cannot load"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_classifier_is_refused_in_a_sentence(what: str, tmp_path: Path) -> None:
    network, text = BROKEN[what]
    with pytest.raises(RobustEvalError, match=text) as refused:
        load(network, tmp_path)
    assert refused.value.exit_code == 2
    assert "\n" not in refused.value.message


def test_options_that_do_not_fit_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"takes images of 8×8 pixels alone, not 32×32"):
        load(small_onnx(), tmp_path, input_size=32)
    with pytest.raises(UsageError, match="takes no --weights: its file holds them"):
        load(small_onnx(), tmp_path, weights=tmp_path / "network")
    with pytest.raises(UsageError, match="takes no --model-arg"):
        load(small_onnx(), tmp_path, model_args={"width": 2})
    with pytest.raises(UsageError, match=r"model file .*absent\.onnx"):
        load_classifier(f"onnx:{tmp_path / 'absent.onnx'}", device="cpu")
    with pytest.raises(ModelError, match="is not a file of TensorFlow Lite"):
        load_classifier(f"tflite:{tmp_path / 'network'}", device="cpu")


def test_the_trial_ends_for_a_network_that_needs_all_memory(tmp_path: Path) -> None:
    network = small_onnx(("batch", 3, 8, 8))
    network.graph.node.insert(0, onnx.helper.make_node("Expand", ["one", "huge"], ["unused"]))
    for name, values in (("one", np.ones(1, np.float32)), ("huge", np.array([2**40], np.int64))):
        network.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    check_survives(network.SerializeToString(), "onnxruntime", "network")


@pytest.mark.parametrize(("does", "text"), [("kill -SEGV $$", "exit status -11"), ("exec sleep 60", "busy for more")])
def test_a_trial_that_dies_or_does_not_end_is_said(does: str, text: str, tmp_path: Path, monkeypatch) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ncat > /dev/null\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr("robustbench_eff.models.native_trial.sys.executable", str(script))
    monkeypatch.setattr("robustbench_eff.models.native_trial.MAX_SECONDS", 2)
    with pytest.raises(ModelError, match=text):
        load(small_onnx(), tmp_path)


def in_torch(images):
    return images.flatten(1)[:, :5] * torch.arange(1, 6)


def in_numpy(images: np.ndarray):
    assert isinstance(images, np.ndarray)
    return images.reshape(len(images), -1)[:, :5] * np.arange(1, 6, dtype=np.float32)


@pytest.mark.parametrize("function", [in_torch, in_numpy])
def test_any_function_of_images_is_a_network(function, tmp_path: Path) -> None:
    expected = in_torch(IMAGES)
    model = load_classifier(function, input_size=8, device="cpu")
    assert torch.equal(model(IMAGES), expected)
    assert model.name == function.__name__
    assert not model.opaque
    assert torch.equal(pickle.loads(pickle.dumps(model))(IMAGES), expected)
    source = "import numpy as np\nimport torch\n\n\n" + inspect.getsource(function)
    (tmp_path / "mine.py").write_text(source + f"\n\ndef build():\n    return {function.__name__}\n")
    for name in (function.__name__, "build"):
        model = load_classifier(f"{tmp_path}/mine.py:{name}", input_size=8, device="cpu")
        assert torch.equal(model(IMAGES), expected)
    labels = expected.argmax(1)
    if function is in_torch:
        assert PGD(eps=0.1)(model, IMAGES, labels).shape == IMAGES.shape
    else:
        with pytest.raises(ModelError, match="runs in NumPy, outside of torch, which has no gradient"):
            PGD(eps=0.1)(model, IMAGES, labels)
    assert Square(eps=0.1, queries=3)(model, IMAGES, labels).shape == IMAGES.shape


def test_a_class_and_a_factory_that_lacks_an_argument_are_told_from_functions(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Flatten is a class, and not a network"):
        load_classifier(torch.nn.Flatten, device="cpu")
    (tmp_path / "mine.py").write_text("def build(width):\n    return None\n")
    with pytest.raises(ModelError, match="cannot be called with") as refused:
        load_classifier(f"{tmp_path}/mine.py:build", device="cpu")
    assert "call its parameter `images`" in refused.value.hint
