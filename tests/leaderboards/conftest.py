"""Fixtures of the browser tests: the browser, and a site with all published results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

from browser_visits import ARGUMENTS, Visit
from robustbench_eff.leaderboards.site.folder import FIRST_PAGE
from robustbench_eff.leaderboards.site.write import write_site
from robustbench_eff.publishing.collect import collect_entries
from site_entries import HOSTILE, entry


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Module scope: while Playwright runs, no test of the same process can call asyncio.run."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def published_site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of all published results and some own models. It takes 20 s, so one worker makes it for all."""
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "published_site"
    with FileLock(out.with_suffix(".lock")):
        if not (out / FIRST_PAGE).is_file():  # the page that is written last
            own = [*HOSTILE, entry("mine", family="cnn", defense="trades")]
            write_site([*own, *collect_entries((), published=True)], out, own=[model.model for model in own])
    return out


@pytest.fixture
def visit(browser: Browser, published_site: Path) -> Iterator[Visit]:
    with Visit(browser, published_site, color_scheme="light", viewport={"width": 1400, "height": 900}) as visiting:
        yield visiting
