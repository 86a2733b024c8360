"""TorchScript, torch.export and int8 networks: right where they can be, and refused in a sentence where they cannot."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from plain_networks import Features, digits_network, grey_digits, l2_survivors
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.attacks import FGSM, PGD, OnePixel, Oracle, Square
from robustbench_eff.core.errors import ModelError, RobustEvalWarning
from robustbench_eff.core.quantized import integer_layer
from robustbench_eff.models.fingerprint import weights_sums
from running import accuracies

L2 = "pgd(norm='l2', eps=1, steps=25, random_start=false)"
COUNT = 60

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning"
)


@pytest.fixture(autouse=True)
def _no_source() -> None:
    """Classes that torch generates have no source file."""
    warnings.simplefilter("ignore", RobustEvalWarning)


@pytest.fixture(scope="module")
def network() -> Features:
    return digits_network().requires_grad_(False)


def exported(network: nn.Module, **options):
    images = grey_digits("test", 4)[0]
    options = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} | options
    return torch.export.export(network, (images,), **options)


def run(model: object, folder: Path, *attacks: str, **options) -> list[float]:
    classifier = load_classifier(model, input_size=32, device="cpu")
    options = {"benchmarks": ["digits"], "limit": COUNT, "store": folder, "device": "cpu"} | options
    return [score.value for score in accuracies(evaluate(classifier, attacks=attacks, **options).scores)]


FORMS = {
    "scripted": torch.jit.script,
    "traced": lambda network: torch.jit.trace(network, grey_digits("test", 4)[0]),
    "frozen": lambda network: torch.jit.freeze(torch.jit.script(network)),
    "exported program": exported,
    "exported module": lambda network: exported(network).module(),
    "exported module in another": lambda network: nn.Sequential(exported(network).module()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_program_has_the_accuracies_of_a_plain_loop_on_the_original(
    network: Features, form: str, tmp_path: Path
) -> None:
    images, labels = grey_digits("test", COUNT)
    clean = (network(images).argmax(1) == labels).float().mean().item()
    robust = l2_survivors(network, images, labels, eps=1.0).float().mean().item()
    assert run(FORMS[form](network), tmp_path, L2)[:2] == pytest.approx([clean, robust], abs=0.02)


def test_a_program_from_a_file_is_a_model_by_name(network: Features, tmp_path: Path) -> None:
    torch.export.save(exported(network), tmp_path / "network.pt2")
    torch.jit.script(network).save(str(tmp_path / "network.pt"))
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\nimport torch\nhere = Path(__file__).parent\n"
        "def program(): return torch.export.load(here / 'network.pt2')\n"
        "def script(): return torch.jit.load(str(here / 'network.pt'))\n"
    )
    images, _ = grey_digits("test", 5)
    for name in ("program", "script"):
        model = load_classifier(f"{tmp_path}/mine.py:{name}", input_size=32, device="cpu")
        assert torch.allclose(model(images), network(images), atol=1e-5)


def test_a_program_of_one_batch_size_is_refused_with_the_way_to_export_another(network: Features) -> None:
    with pytest.raises(ModelError, match="exported for batches of exactly 4 images") as refused:
        load_classifier(exported(network, dynamic_shapes=None), input_size=32)
    assert "dynamic_shapes=({0: torch.export.Dim('batch')},)" in refused.value.hint
    with pytest.raises(ModelError, match=r"exported for images of 32×32 pixels, not 28×28") as refused:
        load_classifier(exported(network), input_size=28)
    assert "--input-size 32x32" in refused.value.hint


def test_a_program_exported_in_train_mode_is_refused() -> None:
    training = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(1800, 10))
    with pytest.raises(ModelError, match=r"exported in train mode: aten\.batch_norm"):
        load_classifier(exported(training.train()), input_size=32)
    with pytest.raises(ModelError, match=r"exported in train mode: aten\.dropout"):
        load_classifier(exported(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(1024, 10))), input_size=32)
    assert load_classifier(exported(training.eval()), input_size=32).num_classes == 10


def test_a_module_traced_for_one_batch_size_is_refused() -> None:
    class Burnt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(1024, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(images.reshape(4, -1))

    with pytest.raises(ModelError, match="Burnt fails on a batch of shape") as refused:
        load_classifier(torch.jit.trace(Burnt().eval(), torch.rand(4, 1, 32, 32)), input_size=32)
    assert refused.value.hint.startswith("A traced module may only work for the batch and image size of its example")


class Stubs(nn.Module):
    """A network between the stubs of static quantisation."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.quant, self.network, self.dequant = (
            torch.ao.quantization.QuantStub(),
            network,
            torch.ao.quantization.DeQuantStub(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.dequant(self.network(self.quant(images)))


def static_int8(network: nn.Module) -> nn.Module:
    torch.backends.quantized.engine = "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else "qnnpack"
    stubs = Stubs(copy.deepcopy(network)).eval()
    stubs.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = torch.ao.quantization.prepare(stubs)
    prepared(grey_digits("train", 50)[0])
    return torch.ao.quantization.convert(prepared).eval()


def dynamic_int8(network: nn.Module) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(copy.deepcopy(network), {nn.Linear}).eval()


INT8 = {
    "static": static_int8,
    "dynamic": dynamic_int8,
    "scripted": lambda network: torch.jit.script(dynamic_int8(network)),
}


@pytest.mark.parametrize("form", INT8)
def test_an_int8_network_is_right_on_clean_and_corrupted_images_and_under_attacks_on_logits(
    network: Features, form: str, tmp_path: Path
) -> None:
    """Dynamic quantisation scales the activations of a batch together, so it is evaluated one image at a time."""
    int8 = INT8[form](network)
    images, labels = grey_digits("test", 30)
    right = torch.cat([int8(image[None]).argmax(1) for image in images]) == labels
    attacks = ["square(eps=0.2, queries=20)", "one_pixel(population=4, generations=1)"]
    options = {"corruptions": ["brightness(severity=2)"], "limit": 30}
    if form != "static":
        with pytest.raises(ModelError, match="different logits alone and in a batch") as refused:
            run(int8, tmp_path / "refused", **options)
        assert "dynamic int8 quantisation" in refused.value.hint
        options["adapt"] = "batches(size=1)"
    clean, *robust = run(int8, tmp_path / "run", *attacks, **options)
    assert clean == pytest.approx(right.float().mean().item(), abs=1e-6)
    assert min(robust) < clean
    found = Square(eps=0.2, queries=50)(load_classifier(int8, input_size=32, device="cpu"), images, labels)
    assert (found - images).abs().max() <= 0.2 + 1e-6
    assert ((int8(found).argmax(1) == labels) & right).float().mean() < clean


@pytest.mark.parametrize("form", INT8)
@pytest.mark.parametrize("attack", [FGSM(), PGD(), PGD(norm="l2", eps=1.0)])
def test_gradients_of_an_int8_network_are_refused_naming_the_attacks_that_work(
    network: Features, form: str, attack: FGSM | PGD
) -> None:
    images, labels = grey_digits("test", 4)
    model = load_classifier(INT8[form](network), input_size=32, device="cpu")
    with pytest.raises(
        ModelError, match=r"computes with integers in .*, which has no gradient: .* square and one_pixel"
    ):
        attack(model, images, labels)
    with pytest.raises(ModelError, match="square and one_pixel"):
        Oracle(model)(images.requires_grad_())
    for works in (Square(queries=3), OnePixel(population=4, generations=1)):
        works(model, images, labels)


def test_a_gradient_that_lacks_the_part_through_an_int8_layer_is_refused(network: Features) -> None:
    """Beside an int8 layer, a shortcut of floats would give a gradient that is wrong, not missing."""

    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(1024, 1024), nn.Linear(1024, 10)

        def forward(self, images: Tensor) -> Tensor:
            flat = images.flatten(1)
            return self.head(flat + self.inner(flat))

    module = Shortcut().eval()
    module.inner = torch.ao.quantization.quantize_dynamic(nn.Sequential(module.inner), {nn.Linear})[0].eval()
    images, labels = grey_digits("test", 4)
    images.requires_grad_()
    assert torch.autograd.grad(module(images).sum(), images)[0].abs().max() > 0
    with pytest.raises(ModelError, match=r"integers in model\.inner"):
        PGD()(load_classifier(module, input_size=32, device="cpu"), images.detach(), labels)


def test_networks_of_floats_have_no_integer_layer(network: Features) -> None:
    adding = nn.Sequential(torch.ao.nn.quantized.FloatFunctional(), network)
    assert [integer_layer(each) for each in (network, adding, torch.jit.script(network), len)] == [""] * 4


def test_the_sums_of_an_int8_networks_weights_notice_a_change(network: Features) -> None:
    int8 = static_int8(network)
    before = weights_sums(int8)
    assert before == weights_sums(copy.deepcopy(int8))
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.head.weight += 0.01 * torch.randn(changed.head.weight.shape)
    assert before != weights_sums(static_int8(changed))


def test_queries_of_an_int8_network_are_never_made_to_a_copy(network: Features) -> None:
    model = load_classifier(static_int8(network), input_size=32, device="cpu")
    for precision in ("float32", "float16", "bfloat16"):
        oracle = Oracle(model, precision=precision)
        oracle.make_copies(torch.Size((1, 32, 32)), torch.device("cpu"))
        assert not oracle.uses_copy
        assert oracle.query_mode == "as it is: it computes with integers in model.quant"


def test_an_int8_network_is_not_moved_to_a_gpu(network: Features) -> None:
    model = load_classifier(dynamic_int8(network), input_size=32, device="cpu")
    with pytest.raises(ModelError, match=r"computes with integers in head, on a CPU only\.\nPass --device cpu"):
        model.placed("cuda")
    assert model.placed("cpu") is model


def test_a_program_that_cannot_be_sent_to_other_processes_is_refused_in_a_sentence(
    network: Features, tmp_path: Path
) -> None:
    for program in (torch.jit.script(network), exported(network)):
        with pytest.raises(ModelError, match="cannot be sent to another process") as refused:
            run(program, tmp_path, "none", workers=2, limit=20)
        assert "give it as file.py:factory" in refused.value.hint
