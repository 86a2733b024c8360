"""Visit the pages in a folder with a browser, and wait for their content."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from playwright.sync_api import Browser, Locator, Page, Request, expect

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PATIENCE = 30_000
"""Timeout in milliseconds, generous because the machine may be busy."""
expect.set_options(timeout=PATIENCE)


class Visit:
    """A page with its requests and complaints."""

    def __init__(self, browser: Browser, folder: Path, **options: object) -> None:
        self.folder, self.requested, self.complaints = folder, list[str](), list[str]()
        self.page: Page = browser.new_context(**options).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._request)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def __enter__(self) -> Visit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.page.context.close()

    def _request(self, request: Request) -> None:
        self.requested.append(request.url)

    def open(self, name: str) -> Page:
        self.page.goto(f"{self.folder.as_uri()}/{name}")
        return self.page

    def was_quiet(self) -> bool:
        """Check that the page loaded without complaints and without requests outside of the folder."""
        self.page.wait_for_load_state()
        assert self.complaints == []
        assert [url for url in self.requested if not url.startswith(self.folder.as_uri())] == []
        return True

    def loaded(self) -> int:
        return sum(
            (self.folder / url.removeprefix(f"{self.folder.as_uri()}/")).stat().st_size for url in self.requested
        )


def models(page: Page) -> Locator:
    """Return the links with the names of the models in the table."""
    return page.locator("#models tbody th a")


def open_table(visit: Visit, name: str) -> Page:
    """Open the page of a table and wait for its rows."""
    page = visit.open(f"{name}.html")
    models(page).first.wait_for()
    return page


def wait_for_plot(page: Page, name: str) -> None:
    """Wait until a plot is drawn; a new drawing replaces the one before, and the element under the mouse."""
    page.locator(f"#{name} svg").wait_for()
    page.wait_for_function("name => drawn.get(document.getElementById(name)).then(() => true)", arg=name)
