"""The static site: the commands that write and serve it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from robustbench_eff.cli.serve_site import server
from robustbench_eff.core.errors import UsageError
from robustbench_eff.leaderboards.site.write import write_site
from serving import start_serving
from site_entries import entry


def test_the_command_writes_a_site_without_torch(tmp_path: Path) -> None:
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries" / "m.json").write_text(entry("m").text())
    words = ["leaderboard", "site", str(tmp_path / "entries"), "--no-published", "--out", str(tmp_path / "site")]
    words += ["--title", "Ours <b>"]
    script = (
        f"import sys; from robustbench_eff import cli; sys.argv = ['robust-eval', *{words!r}]\n"
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code\n"
        "assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    assert "Ours &lt;b&gt;</title>" in page and 'href="models/m.html"' in page
    assert ">own<" in (tmp_path / "site" / "models" / "m.html").read_text()


def test_a_site_is_served_on_this_machine_until_ctrl_c(tmp_path: Path) -> None:
    write_site([entry("m")], tmp_path / "site")
    process, address = start_serving(tmp_path / "site")
    assert address.startswith("http://127.0.0.1:")
    assert b"<h1>" in urllib.request.urlopen(address, timeout=10).read()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}../entries", timeout=10)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (0, "")


def test_a_used_port_and_a_folder_without_pages_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not contain index\.html"):
        server(tmp_path, 0)
    (tmp_path / "index.html").write_text("")
    with server(tmp_path, 0) as first, pytest.raises(UsageError, match="Choose another --port"):
        server(tmp_path, first.server_port)
