"""Downloads that fail: a sentence with the way out, status 2, no traceback; the cache is used where it suffices."""

from __future__ import annotations

import builtins
import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopback_hub import Failure, LoopbackHub
from robustbench_eff import load_classifier
from robustbench_eff.cli import app
from robustbench_eff.core.errors import MissingInputs, ModelError, RobustEvalError, UsageError
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_model


def command(*words: str) -> tuple[int, str]:
    """Status and messages of `robust-eval`; a bug is raised."""
    done = CliRunner().invoke(app, list(words), prog_name="robust-eval", env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


REFUSALS: list[tuple[Failure, str, str]] = [
    ("gated", "is gated: its authors give access", "then log in with `hf auth login`, or set HF_TOKEN"),
    ("unauthorized", "is not a model of http.*, or it is private", "For a private one: log in with `hf auth login`"),
    ("forbidden", "forbids the download of org/refused .status 403", "an account that may read it"),
    ("bad_token", "refuses the access token .status 401", "Correct the token: log in"),
    ("too_many", "too many requests .status 429", "Wait some minutes"),
    ("broken", "could not answer for org/refused .status 500", "Wait some minutes"),
]


@pytest.mark.parametrize(("failure", "what", "remedy"), REFUSALS)
@pytest.mark.parametrize("prefix", ["hf:", "timm:hf-hub:"])
def test_a_refusal_is_known_before_the_run(
    hub: LoopbackHub, vit: Path, failure: Failure, what: str, remedy: str, prefix: str
) -> None:
    hub.add("org/refused", vit)
    hub.failures["org/refused"] = failure
    with pytest.raises(MissingInputs, match=rf"{what}[^\n]*\n[^\n]*where: http.*\n[^\n]*how: .*{remedy}") as caught:
        load_classifier(f"{prefix}org/refused")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf:org/nonesuch", "org/nonesuch is not a model of http"),
        ("hf:org/there@nope", "org/there does not have a revision 'nope'"),
        ("timm:hf-hub:org/there@nope", "does not have a revision 'nope'"),
        ("open_clip:hf-hub:org/nonesuch", "is not a model of http"),
    ],
)
def test_a_name_that_is_not_on_the_hub(hub: LoopbackHub, vit: Path, tmp_path: Path, name: str, words: str) -> None:
    hub.add("org/there", vit)
    status, output = command("--model", name, "--benchmark", "digits", "--store", str(tmp_path / "store"))
    assert (status, "Traceback" in output) == (2, False), output
    assert words in " ".join(output.split())
    assert "--weights FILE" not in output  # a file is no repository


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf:gpt2", r"does not name a model of the hub.\nWrite hf:ORG/NAME\[@REVISION\]"),
        (
            "hf:https://huggingface.co/google/vit-base-patch16-224/tree/main",
            "Did you mean hf:google/vit-base-patch16-224?",
        ),
        ("hf:org/vit#v1", "does not name a model"),
        ("hf:org/vit@", "does not name a model"),
        ("hf:", "does not name a model"),
        ("timm:hf-hub:resnet50", r"Write timm:hf-hub:ORG/NAME"),
    ],
)
def test_what_is_no_name_gets_the_form(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        load_classifier(name)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("truncated", r"The download of org/truncated ended early.\nRepeat the command: a download goes on where it"),
        ("cut", r"The download of org/cut from .* failed: RemoteProtocolError.*\nRepeat the command"),
        (
            "corrupt",
            r"model.safetensors of org/corrupt is damaged: its checksum is not .*\nDelete it and repeat .*: rm ",
        ),
    ],
)
def test_a_download_that_breaks_off_goes_on_later(hub: LoopbackHub, vit: Path, failure: Failure, words: str) -> None:
    name = f"org/{failure}"
    hub.add(name, vit)
    hub.failures[name] = failure
    with pytest.raises(ModelError, match=words) as caught:
        load_classifier(f"hf:{name}")
    hub.failures.clear()
    if failure == "corrupt":  # the way out, as the message has it
        Path(caught.value.hint.rpartition("rm ")[2]).unlink()
    assert load_classifier(f"hf:{name}", device="cpu").num_classes == 5


def test_a_slow_hub_is_waited_for(hub: LoopbackHub, vit: Path) -> None:
    hub.add("org/slow", vit)
    hub.failures["org/slow"] = "slow"
    assert load_classifier("hf:org/slow", device="cpu").num_classes == 5


def test_a_file_that_was_damaged_on_this_disk_is_noticed(hub: LoopbackHub, vit: Path) -> None:
    hub.add("org/rotten", vit)
    load_classifier("hf:org/rotten", device="cpu")
    from huggingface_hub import try_to_load_from_cache

    file = Path(try_to_load_from_cache("org/rotten", "model.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.resolve().write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"model.safetensors of org/rotten is damaged"):
        load_classifier("hf:org/rotten")


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_offline_the_cache_is_used(hub: LoopbackHub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/cached", vit)
    before = load_classifier("hf:org/cached", device="cpu")
    go_offline(monkeypatch)
    hub.requests.clear()
    assert load_classifier("hf:org/cached", device="cpu").digest == before.digest
    with pytest.raises(MissingInputs, match="org/absent is not in the cache, and HF_HUB_OFFLINE is set"):
        load_classifier("hf:org/absent")
    assert hub.requests == []


def test_offline_with_a_part_of_the_files(hub: LoopbackHub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import hf_hub_download

    hub.add("org/partly", vit)
    hf_hub_download("org/partly", "config.json")
    go_offline(monkeypatch)
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set.\nUnset it, or download .*: hf download org/partly"):
        load_classifier("hf:org/partly")


def test_without_a_network_the_cache_is_used(hub: LoopbackHub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/known", vit)
    before = load_classifier("hf:org/known", device="cpu")
    monkeypatch.setattr("robustbench_eff.system.network.reachable", lambda host: False)
    hub.failures["org/known"] = "broken"
    assert load_classifier("hf:org/known", device="cpu").digest == before.digest
    with pytest.raises(MissingInputs, match=r"the hub cannot be reached.*\n.*\n.*hf download org/unknown"):
        load_classifier("hf:org/unknown")


def test_a_full_disk_is_one_sentence(hub: LoopbackHub, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.file_download

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "blob.incomplete")

    hub.add("org/large", vit)
    with monkeypatch.context() as patched:
        patched.setattr(huggingface_hub.file_download, "http_get", full)
        with pytest.raises(ModelError, match=r"The disk is full: org/large .*\nFree some space.*HF_HOME=PATH"):
            load_classifier("hf:org/large")
    assert load_classifier("hf:org/large", device="cpu").num_classes == 5


def test_nothing_is_downloaded_to_learn_the_classes(hub: LoopbackHub, vit: Path) -> None:
    hub.add("org/planned", vit)
    request = ModelRequest(name="hf:org/planned")
    assert build_model.missing(request) == []
    assert build_model.expected_label_space(request) == "custom"
    assert not [
        request for request in hub.requests if "GET" in request and "org/planned" in request and "safetens" in request
    ]


@pytest.mark.parametrize(("name", "words"), [("org/vit", "Did you mean hf:org/vit"), ("./saved", "hf:./saved")])
def test_a_name_without_its_source(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    (tmp_path / "saved").symlink_to(vit)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        load_classifier(name)


def test_an_error_that_has_nothing_to_do_with_downloads_is_left_alone() -> None:
    from robustbench_eff.system.hub_downloads import Repository, download_errors

    for error in (ValueError("no"), FileNotFoundError(errno.ENOENT, "no", "x"), KeyError("y")):
        with pytest.raises(type(error)), download_errors(Repository("org/vit"), ModelError):
            raise error
    with pytest.raises(builtins.MemoryError), download_errors(Repository("org/vit"), RobustEvalError):
        raise MemoryError
