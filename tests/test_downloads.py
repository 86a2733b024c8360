"""Files from the web: kept by content, continued, and refused in one sentence that says the way out."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from failing_server import FailingServer, Handler, body, cut, failing_server, file, status, tag_of
from robustbench_eff.core import progress
from robustbench_eff.core.errors import DownloadError, RobustEvalWarning, UsageError
from robustbench_eff.system import addresses, downloads, transfers

CONTENT = bytes(range(256)) * 40
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingServer]:
    """A server, an empty cache, and no waiting between tries."""
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfers, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(transfers, "CHUNK_BYTES", 1000)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", downloads.MIRRORS):
        monkeypatch.delenv(name, raising=False)
    with failing_server() as served:
        yield served


def fetch(text: str) -> downloads.Download:
    return downloads.fetch(addresses.parse(text))


def refusal(text: str) -> str:
    """The message and the hint of the error that an address ends in."""
    with pytest.raises(UsageError) as caught:
        fetch(text)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return str(caught.value)


def test_a_file_is_downloaded_once_and_says_how_far_it_is(server: FailingServer) -> None:
    url = server.on("/a/net.pth", file(CONTENT))
    steps: list[tuple[str, int, int]] = []
    with progress.reported_to(lambda *step: steps.append(step)):
        first = fetch(f"{url}#sha256={SHA}")
    again = fetch(f"{url}#sha256={SHA.upper()}")
    assert first.path.read_bytes() == CONTENT
    assert (first.path.name, first.address.sha256) == ("net.pth", SHA)
    assert again == first
    assert len(server.asked) == 1
    assert steps[0] == ("downloading net.pth", 1000, len(CONTENT))
    assert steps[-1][1:] == (len(CONTENT), len(CONTENT))


def test_an_address_without_a_hash_is_asked_whether_its_file_has_changed(server: FailingServer) -> None:
    url = server.on("/net.pth", file(CONTENT), file(CONTENT), file(CONTENT[::-1]))
    fetch(url)
    assert fetch(url).path.read_bytes() == CONTENT
    assert server.asked[1][1]["if-none-match"] == tag_of(CONTENT)
    assert fetch(url).path.read_bytes() == CONTENT[::-1]


def test_a_download_continues_where_it_was_cut(server: FailingServer) -> None:
    url = server.on("/net.pth", cut(CONTENT, 4321, ETag=tag_of(CONTENT)), file(CONTENT))
    assert fetch(url).path.read_bytes() == CONTENT
    assert server.asked[1][1]["range"] == "bytes=4000-"
    assert server.asked[1][1]["if-range"] == tag_of(CONTENT)


def test_a_download_continues_in_the_next_command(server: FailingServer) -> None:
    url = server.on("/net.pth", cut(CONTENT, 4321, ETag=tag_of(CONTENT)), status(503))
    assert "answers 503" in refusal(url)
    server.on("/net.pth", file(CONTENT))
    assert fetch(url).path.read_bytes() == CONTENT
    assert server.asked[-1][1]["range"] == "bytes=4000-"


def test_a_file_that_changed_meanwhile_is_never_put_together_from_two(server: FailingServer) -> None:
    other = CONTENT[::-1]
    url = server.on("/net.pth", cut(CONTENT, 4321, ETag=tag_of(CONTENT)), file(other))
    assert fetch(url).path.read_bytes() == other


def test_what_has_no_exact_version_is_begun_anew(server: FailingServer) -> None:
    for headers in ({"ETag": 'W/"1"'}, {}, {"ETag": '"1"', "Content_Encoding": "gzip"}):
        url = server.on("/net.pth", cut(CONTENT, 4321, **headers), body(CONTENT))
        assert fetch(url).path.read_bytes() == CONTENT
        assert "range" not in server.asked[-1][1]


def test_another_part_than_asked_for_is_not_taken(server: FailingServer) -> None:
    def wrong(handler: Handler) -> None:
        handler.send(206, CONTENT[5000:], ETag=tag_of(CONTENT), Content_Range=f"bytes 5000-{len(CONTENT) - 1}/*")

    url = server.on("/net.pth", cut(CONTENT, 4321, ETag=tag_of(CONTENT)), wrong, file(CONTENT))
    assert fetch(url).path.read_bytes() == CONTENT


def test_a_file_that_was_complete_before_it_was_accepted_is_taken(server: FailingServer) -> None:
    url = server.on("/net.pth", cut(CONTENT + b"x", len(CONTENT), ETag=tag_of(CONTENT)), file(CONTENT))
    assert fetch(url).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ([status(401)], "answers 401, it wants a login.*netrc"),
        ([status(403)], "answers 403, it forbids the download.*--weights FILE"),
        ([status(404)], "answers 404, there is no such file.*Check the address"),
        ([status(410)], "answers 410, the file was removed"),
        ([status(418)], "answers 418"),
        ([status(429, Retry_After=900)], "answers 429, too many requests.*in 900 seconds"),
        ([status(429, Retry_After="Fri, 31 Dec 2999 23:59:59 GMT")], "answers 429.*later"),
        ([status(500)], "answers 500, the server has failed.*Repeat"),
        ([status(302, Location="/net.pth")], "redirected more than 10 times"),
        ([status(302, Location="ftp://127.0.0.1/x")], "redirected to what is no web address"),
        ([cut(CONTENT, 4321)], "ended the download of .* too early, after 4,000 bytes.*Repeat"),
        ([body(b"")], "is empty.*address of the file itself"),
        ([body(b"<!DOCTYPE html><html><head><title>Quota exceeded</title>")], "web page .'Quota exceeded'.*--weights"),
        ([body(b"x" * 99, Content_Type="text/html; charset=utf-8")], "is a web page, not a file of weights"),
        ([body(b"version https://git-lfs.github.com/spec/v1\noid 1")], "is a pointer of git LFS"),
        ([body(b"\x1f\x8b not gzip", Content_Encoding="gzip")], "ended the download"),
        ([lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")], "cannot be reached"),
    ],
)
def test_a_server_that_fails_ends_in_a_sentence(server: FailingServer, replies: list, words: str) -> None:
    url = server.on("/net.pth", *replies)
    assert re.search(words, refusal(url), re.DOTALL)


def test_a_server_that_recovers_is_asked_again(server: FailingServer) -> None:
    url = server.on("/net.pth", status(500), status(429, Retry_After=0), file(CONTENT))
    assert fetch(url).path.read_bytes() == CONTENT


def test_a_wrong_hash_keeps_nothing(server: FailingServer, tmp_path: Path) -> None:
    url = server.on("/net.pth", file(CONTENT[1:]))
    message = refusal(f"{url}#sha256={SHA}")
    assert f"not {SHA}" in message
    assert hashlib.sha256(CONTENT[1:]).hexdigest() in message
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_no_network_is_told_from_an_unknown_name_and_from_a_foreign_certificate(
    server: FailingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot prove that it is 127.0.0.1" in refusal(f"https://127.0.0.1:{server.port}/net.pth")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "127.0.0.1 cannot be reached" in refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth")
    monkeypatch.setattr(socket, "getaddrinfo", _no_such_name)
    assert "The name weights.example is not known." in refusal("https://weights.example/net.pth")


def _no_such_name(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_server_that_says_nothing_is_given_up(server: FailingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "TIMEOUT_SECONDS", (0.2, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "127.0.0.1 does not answer." in refusal(f"http://127.0.0.1:{silent.getsockname()[1]}/net.pth")


def test_a_full_disk_and_a_cache_that_cannot_be_written(
    server: FailingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = server.on("/net.pth", file(CONTENT))
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "free_bytes", lambda folder: 10)
        assert "only 0 MiB free" in refusal(url)
        patch.setattr(transfers, "free_bytes", _disk_is_full)
        assert "is full" in refusal(url)
    (tmp_path / "file").touch()
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    assert "Set ROBUST_EVAL_CACHE to another folder." in refusal(url)


def _disk_is_full(folder: Path) -> int:
    raise OSError(errno.ENOSPC, "No space left on device", str(folder))


def test_offline_asks_nobody(server: FailingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url, other = server.on("/net.pth", file(CONTENT)), server.on("/other.pth", file(CONTENT))
    fetch(url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(url).path.read_bytes() == CONTENT
    assert fetch(f"{other}#sha256={SHA}").path.read_bytes() == CONTENT, "known by its content"
    assert "HF_HUB_OFFLINE forbids to download it" in refusal(other)
    assert len(server.asked) == 1


def test_a_kept_file_serves_where_the_network_is_gone(server: FailingServer) -> None:
    url = server.on("/net.pth", file(CONTENT), status(503))
    fetch(url)
    with pytest.warns(RobustEvalWarning, match="answers 503.*downloaded earlier is used"):
        assert fetch(url).path.read_bytes() == CONTENT


def test_a_damaged_file_of_the_cache_is_downloaded_again(server: FailingServer) -> None:
    url = server.on("/net.pth", file(CONTENT))
    fetch(url).path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.warns(RobustEvalWarning, match="is damaged; it is downloaded again"):
        assert fetch(url).path.read_bytes() == CONTENT


def test_a_mirror_is_asked_first_and_then_the_address(server: FailingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.on("/net.pth", file(CONTENT))
    server.on("/mirror/net.pth", status(503))
    monkeypatch.setenv(
        downloads.MIRRORS, f"https://x.example=https://y.example {server.url('')}={server.url('/mirror')}"
    )
    assert fetch(url).path.read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/mirror/net.pth"] * 3 + ["/net.pth"]
    monkeypatch.setenv(downloads.MIRRORS, "https://y.example")
    assert "Set ROBUST_EVAL_MIRRORS=" in refusal(url)


def test_processes_download_a_file_once(server: FailingServer) -> None:
    url = server.on("/net.pth", file(CONTENT))
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map(fetch, [f"{url}#sha256={SHA}"] * 3)
    assert len(set(found)) == 1
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://weights.example/net.pth", "sent unencrypted.*http://weights.example/net.pth#sha256=HEX"),
        ("https://weights.example", "not the address of a file"),
        ("ftp://weights.example/net.pth", "not the address of a file"),
        ("https://[weights/net.pth", "is not an address"),
        ("https://weights.example:port/net.pth", "is not an address"),
        ("https://weights.example/net.pth#sha256=12", "is not the hash"),
        ("https://weights.example/net.pth#md5=0cc175b9c0f1b6a831c399e269772661", "is not the hash"),
        ("https://weights.example/model.safetensors.index.json", "only lists the files"),
        ("hf://timm", "does not name a file"),
        ("hf://timm/resnet50", "does not name a file"),
    ],
)
def test_an_address_that_cannot_be_used_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        addresses.parse(text)
    assert re.search(words, str(caught.value), re.DOTALL)


def test_an_unencrypted_place_is_not_followed(server: FailingServer) -> None:
    url = server.on("/net.pth", status(302, Location="http://127.0.0.2/net.pth"))
    assert "sent unencrypted" in refusal(url)
    assert len(server.asked) == 1


def test_the_hub_in_short() -> None:
    wanted = "https://huggingface.co/timm/resnet50.a1_in1k/resolve/{}/sub/model.safetensors"
    assert addresses.parse("hf://timm/resnet50.a1_in1k/sub/model.safetensors").url == wanted.format("main")
    assert addresses.parse("hf://timm/resnet50.a1_in1k/sub/model.safetensors@v1").url == wanted.format("v1")
    assert addresses.parse("hf://timm/resnet50.a1_in1k@v1/sub/model.safetensors").url == wanted.format("v1")


def test_no_record_holds_a_password_or_a_signature() -> None:
    address = addresses.parse("https://me:pass1@h.example/net.pth?id=7&X-Amz-Signature=abc&access_token=def")
    assert str(address) == "https://h.example/net.pth?id=7&X-Amz-Signature=***&access_token=***"
    assert addresses.parse("https:/h.example/net.pth").url == "https://h.example/net.pth", "as a Path shortens it"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://drive.google.com/file/d/1/view", "asks for a click or a login"),
        ("https://x-my.sharepoint.com/:u:/g/1", "asks for a click or a login"),
        ("https://www.dropbox.com/s/1/net.pth?dl=0", "https://www.dropbox.com/s/1/net.pth?dl=1"),
        ("https://github.com/a/b/blob/main/net.pth", "https://github.com/a/b/raw/main/net.pth"),
        ("https://huggingface.co/a/b/blob/main/net.pth", "https://huggingface.co/a/b/resolve/main/net.pth"),
        ("https://raw.githubusercontent.com/a/b/main/net.pth", "https://media.githubusercontent.com/media/a/b/main/"),
    ],
)
def test_a_page_in_place_of_a_file_names_the_way_to_the_file(url: str, words: str) -> None:
    assert words in transfers.instead(addresses.parse(url))


def test_a_download_error_is_one_for_users() -> None:
    assert issubclass(DownloadError, UsageError)


def test_the_hub_learns_who_asks_and_no_other_host_does(server: FailingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirection to the store behind the hub gets no token, either."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", server.url("/hub"))
    stored = f"http://localhost:{server.port}/store/net.pth"
    server.on("/hub/org/name/resolve/main/net.pth", status(302, Location=stored))
    server.on("/store/net.pth", file(CONTENT))
    assert fetch("hf://org/name/net.pth").path.read_bytes() == CONTENT
    fetch(server.on("/other.pth", file(CONTENT)))
    sent = {path: headers.get("authorization") for path, headers in server.asked}
    assert sent == {
        "/hub/org/name/resolve/main/net.pth": "Bearer hf_secret",
        "/store/net.pth": None,
        "/other.pth": None,
    }
    server.on("/hub/org/gated/resolve/main/net.pth", status(401))
    assert "log in with `hf auth login`, or set HF_TOKEN" in refusal("hf://org/gated/net.pth")
