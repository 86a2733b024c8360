"""Whether weights can be had from a hub: looks into the local cache, then asks the network, briefly."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlparse

TIMEOUT_SECONDS = 5.0


def cached_on_hugging_face(repository: str, filenames: tuple[str, ...]) -> bool:
    """Whether any of these files of a Hugging Face repository is in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in filenames)


def cached_by_torch(url: str) -> bool:
    """Whether torch.hub has downloaded this URL before."""
    import torch

    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name).is_file()


def reachable(host: str) -> bool:
    """Whether a connection to the host can be opened within a few seconds, directly or through a proxy."""
    from urllib.request import getproxies, proxy_bypass

    proxy = None if proxy_bypass(host) else getproxies().get("https")
    target = urlparse(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else None
    address = (target.hostname or host, target.port or 80) if target else (host, 443)
    try:
        with socket.create_connection(address, timeout=TIMEOUT_SECONDS):
            return True
    except OSError:
        return False
