"""`robust-eval view`: the samples of a store in a browser, also while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from robustbench_eff.core.errors import RobustEvalError, UsageError

from .common import error_boundary
from .options import DataOption
from .serve_site import FAULT, FOUND, NOT_FOUND, PagesHandler, SiteServer, listening, serve_until_stopped

if TYPE_CHECKING:
    from robustbench_eff.publishing.view.clean_images import DataSets


def view(
    store: Annotated[str, typer.Argument(help="Folder or URL of the outcomes.")],
    data: DataOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at, such as ::1; 0.0.0.0 lets other machines reach it.")
    ] = "127.0.0.1",
) -> None:
    """Show the samples of a store to a browser on this machine, until Ctrl-C: by class, attack and outcome."""
    with error_boundary(), server(store, data or [], port, host) as running:
        serve_until_stopped(running)


def server(store: str, data: list[str], port: int, host: str = "127.0.0.1") -> SiteServer:
    """Return a server of a store's samples.

    Args:
        store: Folder or URL of the store, which must exist.
        data: Locations of images, as `NAME=PATH`.
        port: Port to listen on; 0 chooses a free one.
        host: Address or name of this machine to listen at; by default only this machine can reach the server.

    Raises:
        UsageError: There is no store, a location cannot be read, or the address or the port cannot be used.
        StoreError: The store has a format that this version cannot read.
    """
    from robustbench_eff.benchmarks import locations
    from robustbench_eff.publishing.view.clean_images import DataSets
    from robustbench_eff.storage.store import Store

    Store.existing(store)
    pages = partial(_page, store, DataSets(locations.from_options(data)))
    return listening(partial(PagesHandler, pages), port, host)


def _page(store: str, data_sets: DataSets, path: str, fields: Mapping[str, str]) -> tuple[int, str]:
    """The status and the page of a request; the store is opened anew, so that the page has what a run has stored."""
    from robustbench_eff.publishing.report.page import report_page
    from robustbench_eff.publishing.view.page import error_page, samples_page
    from robustbench_eff.storage.store import Store

    try:
        if path == "/":
            return FOUND, samples_page(Store.existing(store), fields, data_sets)
        if path == "/report":
            return FOUND, report_page(Store.existing(store))
        return NOT_FOUND, error_page("There is no such page.")
    except UsageError as error:
        return NOT_FOUND, error_page(f"{error.message} {error.hint}".strip())
    except RobustEvalError as error:
        return FAULT, error_page(f"{error.message} {error.hint}".strip())
