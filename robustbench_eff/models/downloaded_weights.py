"""Weights that a request or an alias names by their address: as a file of this machine."""

from __future__ import annotations

from dataclasses import replace

from robustbench_eff.system import downloads

from .aliases import aliases
from .request import ModelRequest


def with_local_weights(request: ModelRequest) -> ModelRequest:
    """Return the request with the file of its weights, which is downloaded if the request names an address.

    The address in the result has the hash of the file, so that no other process asks the server again, and each gets
    the same content.

    Args:
        request: The model and the user's options.

    Raises:
        DownloadError: The weights cannot be downloaded, or are not those that were asked for.
    """
    address = request.weights_address
    if address is None and request.weights is None and request.name in aliases():
        address = aliases()[request.name].address
    if address is None:
        return request
    download = downloads.fetch(address)
    return replace(request, weights=download.path, weights_address=download.address)
