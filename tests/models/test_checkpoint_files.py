"""Checkpoints at addresses: MadryLab's layout, SIN's, XCiT's; what differs from what is published is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import dill  # type: ignore[import-untyped]
import pytest
import torch
import torchvision
from torch import Tensor, nn

from failing_server import failing_server, file
from robustbench_eff import load_classifier
from robustbench_eff.core.errors import MissingInputs, ModelError
from robustbench_eff.models import aliases
from robustbench_eff.models.sources import checkpoint_files
from robustbench_eff.system import addresses

NAME = "salman2020_resnet18_linf_eps4.0"
MEAN, STD = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """The network that all files here hold."""
    torch.manual_seed(0)
    return torchvision.models.resnet18().eval()


def robustness_state(network: nn.Module, inner: str = "") -> dict[str, Tensor]:
    """A state_dict as MadryLab's `robustness` writes it: network, attacker, normalizers, all in DataParallel."""
    state = {
        "module.normalizer.new_mean": MEAN[:, None, None],
        "module.normalizer.new_std": STD[:, None, None],
        "module.attacker.normalize.new_mean": MEAN[:, None, None],
        "module.attacker.normalize.new_std": STD[:, None, None],
    }
    for key, value in network.state_dict().items():
        state[f"module.model.{inner}{key}"] = state[f"module.attacker.model.{inner}{key}"] = value
    return state


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(2))], 0.1, momentum=0.9)
    content = {"model": state, "optimizer": optimizer.state_dict(), "epoch": 90, "schedule": None}
    torch.save(content, path, pickle_module=dill)
    return path


@pytest.mark.parametrize("inner", ["", "model."])
def test_a_checkpoint_of_robustness_gives_the_network_in_it(network: nn.Module, tmp_path: Path, inner: str) -> None:
    path = saved(tmp_path / "net.ckpt", robustness_state(network, inner))
    classifier = load_classifier(NAME, weights=path, device="cpu")
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network((pixels - MEAN[:, None, None]) / STD[:, None, None])
        assert torch.allclose(classifier(pixels), expected, atol=1e-5)
    assert classifier.preprocessing.geometry.resize == 256
    assert classifier.num_classes == 1000


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("module.normalizer.new_mean", lambda value: value + 0.1, "normalizes images otherwise"),
        ("module.attacker.model.fc.bias", lambda value: value + 1, "differs from it"),
        ("module.model.fc.bias", lambda value: value[:10], "fc.bias|differs from it"),
        ("module.surprise", lambda value: torch.zeros(3), "module.surprise"),
    ],
)
def test_what_is_not_the_published_layout_is_refused(
    network: nn.Module, tmp_path: Path, key: str, change: object, words: str
) -> None:
    state = robustness_state(network)
    state[key] = change(state.get(key))  # type: ignore[operator]
    with pytest.raises(ModelError, match=words) as caught:
        load_classifier(NAME, weights=saved(tmp_path / "net.ckpt", state), device="cpu")
    assert caught.value.exit_code == 2


def test_another_architecture_is_refused_in_one_sentence(network: nn.Module, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.ckpt", robustness_state(network))
    with pytest.raises(ModelError, match=r"does not fit the model: .* missing"):
        load_classifier(NAME.replace("resnet18", "resnet50"), weights=path, device="cpu")


def test_an_alias_downloads_its_file_by_itself(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 60, "arch": "resnet18", "best_prec1": 1.0, "state_dict": state}, tmp_path / "net.pth.tar")
    content = (tmp_path / "net.pth.tar").read_bytes()
    digits = hashlib.sha256(content).hexdigest()[:8]
    with failing_server() as server:
        url = server.on(f"/net-{digits}.pth.tar", file(content))
        row = aliases.aliases()["resnet50_sin"]
        assert row.checkpoint is not None
        facts = dataclasses.replace(row.checkpoint, architecture="torchvision:resnet18")
        changed = dataclasses.replace(row, address=addresses.parse(f"{url}#sha256={digits}"), checkpoint=facts)
        monkeypatch.setitem(aliases.aliases(), "resnet50_sin", changed)
        monkeypatch.setattr(checkpoint_files.network, "reachable", lambda host: True)
        classifier = load_classifier("resnet50_sin", device="cpu")
        assert classifier.provenance.weights_from == f"{url}#sha256={hashlib.sha256(content).hexdigest()}"
        assert load_classifier("resnet50_sin", device="cpu").digest == classifier.digest
        assert len(server.asked) == 1


def test_an_alias_without_network_says_where_its_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingInputs, match=r"HF_HUB_OFFLINE forbids(?s:.*)madrylab(?s:.*)--weights FILE"):
        load_classifier(NAME, device="cpu")


def changed(monkeypatch: pytest.MonkeyPatch, name: str, architecture: str) -> None:
    """Give an alias a smaller architecture of the same kind."""
    row = aliases.aliases()[name]
    assert row.checkpoint is not None
    facts = dataclasses.replace(row.checkpoint, architecture=architecture)
    monkeypatch.setitem(aliases.aliases(), name, dataclasses.replace(row, checkpoint=facts))


def logits(network: nn.Module, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = network((pixels - MEAN[:, None, None]) / STD[:, None, None])
    return found


def test_a_classifier_of_mmpretrain_gives_its_network(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, "byol_resnet50_200e", "torchvision:resnet18")
    heads = {True: "head", False: "backbone"}
    state = {f"{heads[key.startswith('fc.')]}.{key}": value for key, value in network.state_dict().items()}
    torch.save({"meta": {"epoch": 90}, "state_dict": state}, tmp_path / "net.pth")
    classifier = load_classifier("byol_resnet50_200e", weights=tmp_path / "net.pth", device="cpu")
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(classifier(pixels), logits(network, pixels), atol=1e-5)
    assert (classifier.preprocessing.geometry.resize, classifier.preprocessing.geometry.size) == (256, 224)


@pytest.mark.parametrize("with_normalizer", [True, False])
def test_a_network_of_easyrobust_is_read_with_and_without_its_normalizer(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_normalizer: bool
) -> None:
    changed(monkeypatch, "advtrain_effnet_b0", "torchvision:resnet18")
    state = dict(network.state_dict())
    if with_normalizer:
        state = {"0.mean": MEAN, "0.std": STD, **{f"1.{key}": value for key, value in state.items()}}
    torch.save({"state_dict": state}, tmp_path / "net.pth")
    classifier = load_classifier("advtrain_effnet_b0", weights=tmp_path / "net.pth", device="cpu")
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(classifier(pixels), logits(network, pixels), atol=1e-5)
    if with_normalizer:
        torch.save({"state_dict": {**state, "0.std": STD / 2}}, tmp_path / "net.pth")
        with pytest.raises(ModelError, match=r"normalizes images otherwise: 0\.std"):
            load_classifier("advtrain_effnet_b0", weights=tmp_path / "net.pth", device="cpu")


def test_a_file_that_is_sent_unencrypted_is_left_to_the_user() -> None:
    with pytest.raises(MissingInputs, match=r"states no hash(?s:.*)http://(?s:.*)--weights FILE"):
        load_classifier("easyrobust_resnet50_augmix", device="cpu")


def test_xcit_is_renamed_by_timm() -> None:
    from timm.models.xcit import Xcit

    network = Xcit(img_size=32, patch_size=16, embed_dim=16, depth=1, num_heads=2, cls_attn_layers=1, num_classes=4)
    wanted = network.state_dict()
    old = dict(wanted)
    for kind in ("weight", "bias"):
        parts = [old.pop(f"cls_attn_blocks.0.attn.{letter}.{kind}") for letter in "qkv"]
        old[f"cls_attn_blocks.0.attn.qkv.{kind}"] = torch.cat(parts)
    for key in [key for key in old if key.startswith("pos_embed.")]:
        old[key.replace("pos_embed.", "pos_embeder.")] = old.pop(key)
    renamed = checkpoint_files.LAYOUTS["xcit"](old, Path("net.pth"), network)
    assert renamed.keys() == wanted.keys()
    assert all(torch.equal(renamed[key], wanted[key]) for key in wanted)


def test_every_checkpoint_says_where_its_facts_are_from() -> None:
    rows = [alias for alias in aliases.aliases().values() if alias.source == "checkpoint"]
    assert len(rows) >= 111
    for alias in rows:
        assert alias.checkpoint is not None
        if alias.checkpoint.by_hand:
            assert alias.address is None
        else:
            assert alias.address is not None
            assert alias.address.url.startswith("https://")
        assert alias.checkpoint.origin
        assert alias.checkpoint.layout in {"", *checkpoint_files.LAYOUTS}
        assert alias.parameters
