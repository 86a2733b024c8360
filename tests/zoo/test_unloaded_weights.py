"""Every parameter and buffer of a network that is built by name is loaded, or an error or a flag names it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from typer.testing import CliRunner

from robustbench_eff import evaluate, load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import ModelError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.models.unloaded_weights import accounted_for
from robustbench_eff.registry import build_model
from small_models import random_weights

FACTORIES = """
import random
import numpy as np
import torch
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4))
def state(without="nothing"):
    values = network().state_dict()
    return {
        key: torch.linspace(0.1, 1, value.numel()).view(value.shape)
        for key, value in values.items() if not key.startswith(without)
    }
def loaded(without="nothing"):
    net = network()
    net.load_state_dict(state(without), strict=False)
    return net

# What must be refused, with the tensors that nobody loaded.
def untrained(): return network()
def partly(): return loaded("3.")
def without_statistics(): return loaded("1.running")
def zero_head():
    net = network()
    nn.init.zeros_(net[3].weight)
    nn.init.zeros_(net[3].bias)
    net.load_state_dict(state("3."), strict=False)
    return net
def seeded_partly():
    torch.manual_seed(42)
    np.random.seed(42)
    random.seed(42)
    return partly()
def new_head():
    net = loaded()
    net[3] = nn.Linear(12, 5)
    return net
def random_buffer():
    net = loaded()
    net.register_buffer("order", torch.randperm(50), persistent=False)
    return net
def random_attribute():
    net = loaded()
    net.projections = [{"first": torch.randn(3)}]
    return net
def random_array():
    net = loaded()
    net.projection = np.random.randn(3)
    return net
def python_numbers():
    net = loaded()
    net.register_buffer("offset", torch.tensor([random.random()]))
    return net
def member_in_a_list():
    net = loaded()
    net.members = [nn.Linear(2, 2).eval()]
    return net
def quantized():
    return torch.ao.quantization.quantize_dynamic(partly().eval(), {nn.Linear})
def scripted():
    return torch.jit.script(partly().eval())
def never_set():
    net = loaded()
    net.scale = nn.Parameter(torch.empty(5))
    return net
finished = network()

# What must pass.
def complete(): return loaded()
def without_counter(): return loaded("1.num_batches_tracked")
def normalization_that_no_file_has():
    net = network()
    net.register_buffer("mean", torch.full((3,), 0.5))
    net.load_state_dict(state(), strict=False)
    return net
def head_loaded_later():
    net = loaded("3.")
    net[3].load_state_dict({"weight": torch.full((4, 12), 0.2), "bias": torch.arange(4.0)})
    return net
def head_set_later():
    net = loaded("3.")
    with torch.no_grad():
        net[3].weight.fill_(0.3)
        net[3].bias.copy_(torch.arange(4.0))
    return net
def seeded_complete():
    torch.manual_seed(0)
    return loaded()
def own_generator():
    net = loaded()
    net.register_buffer("projection", torch.randn(3, generator=torch.Generator().manual_seed(0)))
    return net

# What has a flag.
def seeded_projection():
    net = loaded()
    torch.manual_seed(0)
    net.register_buffer("projection", torch.randn(3))
    return net

# What cannot be built.
def lazy(): return nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
def meta():
    with torch.device("meta"):
        return network()
"""
HEAD = "3.weight, 3.bias"


@pytest.fixture
def factories(tmp_path: Path) -> Path:
    path = tmp_path / "factories.py"
    path.write_text(FACTORIES)
    return path


def load(factories: Path, name: str, **options):
    return load_classifier(f"{factories}:{name}", input_size=2, device="cpu", **options)


REFUSED = {
    "untrained": "0.weight, 0.bias, 3.weight, 3.bias",
    "partly": HEAD,
    "without_statistics": "1.running_mean, 1.running_var",
    "zero_head": HEAD,
    "seeded_partly": HEAD,
    "new_head": HEAD,
    "random_buffer": "order",
    "random_attribute": "projections.0.first",
    "random_array": "projection",
    "python_numbers": "offset",
    "member_in_a_list": "members.0.weight, members.0.bias",
    "quantized": "3._packed_params._packed_params.0",
    "scripted": HEAD,
    "never_set": "scale",
    "finished": "0.weight, 0.bias, 3.weight, 3.bias",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_loaded_is_named(factories: Path, name: str) -> None:
    with pytest.raises(ModelError, match="nobody loaded") as caught:
        load(factories, name)
    assert f": {REFUSED[name]}" in caught.value.message
    assert "--random-weights" in caught.value.hint
    flag = load(factories, name, random_weights=True).provenance.flags[0]
    assert flag.startswith(f"random weights: {REFUSED[name]}")


def test_the_error_counts_tensors_and_numbers(factories: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(factories, "partly")
    # 3 x 3 + 3 of the convolution, 4 x 3 + 1 of the norm, 12 x 4 + 4 of the head: 52 of 77.
    assert "nobody loaded 2 of 9 parameters and buffers (68 % of the numbers)" in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "complete",
        "without_counter",
        "normalization_that_no_file_has",
        "head_loaded_later",
        "head_set_later",
        "seeded_complete",
        "own_generator",
    ],
)
def test_a_network_that_is_loaded_passes_without_a_flag(factories: Path, name: str) -> None:
    assert load(factories, name).provenance.flags == ()
    assert load(factories, name, random_weights=True).provenance.flags == ()


def test_what_a_factory_draws_under_its_own_seed_is_a_flag(factories: Path) -> None:
    classifier = load(factories, "seeded_projection")
    assert classifier.provenance.flags == ("random weights, under a seed that the factory sets: projection",)
    expected = torch.randn(3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(classifier.model.projection, expected)


@pytest.mark.parametrize("name", ["lazy", "meta"])
@pytest.mark.parametrize("allowed", [False, True])
def test_tensors_without_memory_are_refused(factories: Path, name: str, allowed: bool) -> None:
    with pytest.raises(ModelError, match="have no values yet"):
        load(factories, name, random_weights=allowed)


def test_random_weights_are_the_same_in_every_process(factories: Path) -> None:
    digests = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        digests.add(load(factories, "partly", random_weights=True).digest)
    assert len(digests) == 1


def test_the_users_generators_are_left_alone(factories: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    load(factories, "seeded_partly", random_weights=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), before[0])


def test_a_weights_file_that_covers_everything_is_enough_and_nothing_is_built_twice(
    factories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_weights(tmp_path / "w.safetensors", load(factories, "untrained", random_weights=True).model)
    counted: list[bool] = []

    def counting(build, request, device):
        return accounted_for(lambda: counted.append(True) or build(), request, device)

    monkeypatch.setattr(build_model, "accounted_for", counting)
    assert load(factories, "untrained", weights=weights).provenance.flags == ()
    assert len(counted) == 1
    with pytest.raises(ModelError, match=r"nobody loaded 1 of 10 .*: order"):  # the file does not cover it
        load(factories, "random_buffer", weights=weights)
    assert len(counted) == 3


def test_a_module_that_exists_once_is_said_not_to_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = FACTORIES.replace(
        "finished = network()", "from functools import cache\n@cache\ndef once(): return network()"
    )
    (tmp_path / "package_of_cached.py").write_text(cached)
    monkeypatch.syspath_prepend(tmp_path)
    classifier = load_classifier("package_of_cached:once", input_size=2, device="cpu")
    assert classifier.provenance.flags == (
        "weights not checked: package_of_cached:once returns the same module every time",
    )


def test_a_factory_that_can_be_called_once_says_why_it_was_called_again(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(
        FACTORIES + "\nfrom pathlib import Path\n"
        "def build():\n    Path(__file__).with_suffix('.made').mkdir()\n    return network()\n"
    )
    with pytest.raises(ModelError, match=r"was built, but not a second time: .*FileExistsError") as caught:
        load_classifier(f"{tmp_path}/once.py:build", input_size=2, device="cpu")
    assert "built twice to find weights that nobody loaded" in caught.value.hint


# --- timm, with its own way of loading and a local file in the place of its hub ---


def timm_model(name: str, file: Path, **options):
    arguments = {"pretrained_cfg_overlay": {"file": str(file)}}
    return build_model.load(ModelRequest(name=f"timm:{name}", model_args=arguments, **options))


def test_a_head_that_timm_does_not_load_is_named(tmp_path: Path) -> None:
    file = random_weights(tmp_path / "resnet18.safetensors", timm.create_model("resnet18"))
    assert timm_model("resnet18.a1_in1k", file).provenance.flags == ()
    with pytest.raises(ModelError) as caught:
        timm_model("resnet18.a1_in1k", file, num_classes=10)
    assert caught.value.message == (
        "timm:resnet18.a1_in1k: nobody loaded 2 of 122 parameters and buffers (0.046 % of the numbers): "
        "fc.weight, fc.bias. They hold their initial values."
    )
    assert "Or leave out --num-classes" in caught.value.hint
    digests = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        classifier = timm_model("resnet18.a1_in1k", file, num_classes=10, random_weights=True)
        assert classifier.provenance.flags == ("random weights: fc.weight, fc.bias",)
        digests.add(classifier.digest)
    assert len(digests) == 1
    head = random_weights(tmp_path / "ten.safetensors", timm.create_model("resnet18", num_classes=10))
    assert load_classifier("timm:resnet18.a1_in1k", num_classes=10, weights=head).provenance.flags == ()


def test_a_backbone_without_classes_is_not_a_classifier(tmp_path: Path) -> None:
    name = "vit_small_patch16_224.dino"
    file = random_weights(tmp_path / "dino.safetensors", timm.create_model("vit_small_patch16_224", num_classes=0))
    with pytest.raises(ModelError, match=r"no classifier: its weights were trained without classes.\n.*--weights FILE"):
        timm_model(name, file)
    with pytest.raises(ModelError, match=r"nobody loaded 2 of 152 .*: head.weight, head.bias"):
        timm_model(name, file, num_classes=1000)
    whole = random_weights(tmp_path / "head.safetensors", timm.create_model("vit_small_patch16_224", num_classes=7))
    assert load_classifier(f"timm:{name}", num_classes=7, weights=whole).num_classes == 7


def test_an_architecture_without_weights_needs_the_explicit_word(offline) -> None:
    name = "timm:mobilenetv4_conv_small_035"
    (missing,) = build_model.missing(ModelRequest(name=name))
    assert "timm has none under this name" in missing.what
    request = ModelRequest(name=name, random_weights=True, input_size=32)
    assert build_model.missing(request) == []
    (flag,) = build_model.load(request).provenance.flags
    assert flag.startswith("random weights: conv_stem.weight")


def test_torchvision_refuses_another_number_of_classes() -> None:
    request = ModelRequest(name="torchvision:resnet18", num_classes=10)
    with pytest.raises(ModelError, match=r"expected value 1000 but got 10 instead.\nLeave out --num-classes"):
        build_model.load(request)


# --- the word reaches the rows ---


def test_every_row_says_that_weights_are_random(factories: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    request = ModelRequest(name=f"{tmp_path}/net.py:build", input_size=32, random_weights=True)
    result = evaluate(request, benchmarks=["digits"], attacks=["fgsm"], limit=8, device="cpu", store=tmp_path / "store")
    assert len(result.scores) > 1
    assert {score.flags[0] for score in result.scores} == {"random weights: 1.weight, 1.bias"}


def test_a_flag_stays_with_a_network_that_is_wrapped_or_attacked_in_the_place_of_another(
    factories: Path, tmp_path: Path
) -> None:
    flag = f"random weights: {HEAD}"
    inner = load(factories, "partly", random_weights=True)
    assert load_classifier(torch.nn.Sequential(inner).eval(), input_size=2, device="cpu").provenance.flags == (flag,)
    (tmp_path / "outer.py").write_text(
        "import torch\nfrom robustbench_eff import load_classifier\n"
        "def build():\n"
        f"    inner = load_classifier({f'{factories}:partly'!r}, input_size=2, device='cpu', random_weights=True)\n"
        "    return torch.nn.Sequential(inner)\n"
        "def blind():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n"
    )
    outer = load_classifier(f"{tmp_path}/outer.py:build", input_size=2, device="cpu")
    assert outer.provenance.flags == (flag,)
    attack = f"fgsm from {tmp_path}/outer.py:blind"
    result = evaluate("digits_standard", attacks=[attack], limit=8, device="cpu", store=tmp_path / "store")
    flagged = {score.flags[:1] for score in result.scores if "blind" in score.perturbation}
    seeded = "random weights, under a seed that the factory sets: 1.weight, 1.bias"
    assert flagged == {(f"{tmp_path}/outer.py:blind: {seeded}",)}


def test_the_command_line_has_the_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    words = ["--model", "net.py:build", "--input-size", "32", "--benchmark", "digits", "--attack", "none"]
    words += ["--limit", "8", "--device", "cpu", "--store", "store"]
    refused = CliRunner().invoke(app, words, prog_name="robust-eval")
    assert (refused.exit_code, "net.py:build: nobody loaded 2 of 2" in refused.stderr) == (2, True)
    assert "--random-weights" in refused.stderr
    accepted = CliRunner().invoke(app, [*words, "--random-weights", "--json"], prog_name="robust-eval")
    assert (accepted.exit_code, accepted.stdout.count("random weights: 1.weight, 1.bias") > 0) == (0, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("calls", r"raised TypeError: unsupported operand .*factory.py:2\)\n.*ROBUST_EVAL_TRACEBACK=1"),
        ("finds_no_file", r"raised FileNotFoundError: .*factory.py:4\)\n"),
        ("needs_depth", r"cannot be called with \(\): missing a required argument: 'depth'.\n.*--model-arg"),
        ("SEVEN", "is a int, neither a torch.nn.Module nor a function"),
        ("asks_us", r"^Unknown model 'no_such'"),
    ],
)
def test_only_a_wrong_signature_is_about_arguments(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "factory.py").write_text(
        "def calls():\n    return 1 + 'one'\n"
        "def finds_no_file():\n    return open('no/such/weights.pt')\n"
        "def needs_depth(depth):\n    return depth\n"
        "SEVEN = 7\n"
        "def asks_us():\n    from robustbench_eff import load_classifier\n    return load_classifier('no_such')\n"
    )
    with pytest.raises(UsageError, match=words) as caught:
        load_classifier(f"{tmp_path}/factory.py:{name}", input_size=8)
    assert ("--model-arg" in caught.value.hint) == (name == "needs_depth")
