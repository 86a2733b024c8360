"""`--weights https://…`: the same model as with the file, and what was downloaded stands in the record."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from failing_server import FailingServer, body, failing_server, file
from robustbench_eff import load_classifier
from robustbench_eff.cli.main import app
from robustbench_eff.core.errors import UsageError

NETWORK = "timm:test_resnet.r160_in1k"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingServer]:
    """A server, and an empty cache."""
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with failing_server() as served:
        yield served


def state_file(folder: Path) -> Path:
    """Weights of a small network of 10 classes."""
    import timm

    torch.manual_seed(0)
    path = folder / "net.pth"
    torch.save(timm.create_model("test_resnet", num_classes=10).state_dict(), path)
    return path


def test_an_address_gives_the_model_of_the_file(server: FailingServer, tmp_path: Path) -> None:
    path = state_file(tmp_path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    url = server.on("/net.pth", file(path.read_bytes()))
    options = {"num_classes": 10, "input_size": 32, "device": "cpu"}
    from_file = load_classifier(NETWORK, weights=path, **options)
    from_web = load_classifier(NETWORK, weights=url, **options)
    assert from_web.digest == from_file.digest
    assert from_file.provenance.weights_from == ""
    assert from_web.provenance.weights_from == f"{url}#sha256={sha256}"
    assert f"downloaded from {url}#sha256={sha256}" in from_web.provenance.notes
    assert len(server.asked) == 1


@pytest.mark.slow
def test_a_run_records_address_and_hash_and_its_workers_ask_nobody(server: FailingServer, tmp_path: Path) -> None:
    path = state_file(tmp_path)
    url = server.on("/net.pth", file(path.read_bytes()))
    words = ["--model", NETWORK, "--num-classes", "10", "--input-size", "32", "--benchmark", "digits"]
    words += ["--corruption", "gaussian_noise(severity=1)", "--limit", "4", "--device", "cpu"]
    words += ["--store", str(tmp_path / "store"), "--weights", url]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    cells = [json.loads(cell.read_text()) for cell in (tmp_path / "store").glob("cells/*/cell.json")]
    assert cells
    assert all(cell["weights_from"].startswith(f"{url}#sha256=") for cell in cells)
    assert len(server.asked) == 1


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("model", [NETWORK, "torchvision:resnet18"])
def test_what_does_not_fit_ends_in_a_sentence_and_runs_nothing(
    server: FailingServer, tmp_path: Path, model: str
) -> None:
    ran = tmp_path / "ran"
    contents = {
        "is refused|that torch.save did not write": pickle.dumps(Hostile(ran)),
        "does not fit the model|missing": _saved(tmp_path, {"other.weight": torch.zeros(3)}),
        "incomplete|damaged": state_file(tmp_path).read_bytes()[:-2000],
        "is a zip archive|is not a file of weights|is JSON or other text": b'{"error": "quota"}',
    }
    for words, content in contents.items():
        url = server.on("/net.pth", body(content))
        with pytest.raises(UsageError, match=words) as caught:
            load_classifier(model, weights=url, num_classes=10)
        assert caught.value.exit_code == 2
    assert not ran.exists()


def _saved(folder: Path, state: dict[str, torch.Tensor]) -> bytes:
    torch.save(state, folder / "other.pth")
    return (folder / "other.pth").read_bytes()


def test_another_number_of_classes_is_said(server: FailingServer, tmp_path: Path) -> None:
    url = server.on("/net.pth", file(state_file(tmp_path).read_bytes()))
    with pytest.raises(UsageError, match="of another shape"):
        load_classifier(NETWORK, weights=url, num_classes=12)


def test_an_unknown_model_downloads_nothing(server: FailingServer) -> None:
    url = server.on("/net.pth", body(b"x"))
    with pytest.raises(UsageError, match="Unknown model"):
        load_classifier("resnet_of_nobody", weights=url)
    assert server.asked == []


def test_the_command_refuses_an_address_in_a_sentence(server: FailingServer) -> None:
    done = CliRunner().invoke(app, ["--model", NETWORK, "--benchmark", "digits", "--weights", server.url("/no.pth")])
    assert done.exit_code == 2
    assert "answers 404, there is no such file" in " ".join(done.output.split())
