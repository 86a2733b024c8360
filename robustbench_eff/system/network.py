"""Whether weights are available: looks into the local caches, then tries the network briefly."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlparse

from .addresses import HUB_ADDRESS, LOOPBACK

TIMEOUT_SECONDS = 5.0

OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Environment variables by which users forbid requests to the Hugging Face hub."""
_TRUE = {"1", "ON", "YES", "TRUE"}
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
"""How to show the hub who asks."""


def offline() -> str:
    """Return the environment variable that forbids requests to the Hugging Face hub; empty where none does."""
    return next((name for name in OFFLINE if os.environ.get(name, "").upper() in _TRUE), "")


def hub_address() -> str:
    """Return the address of the Hugging Face hub, or of the mirror in `HF_ENDPOINT`."""
    return (os.environ.get("HF_ENDPOINT") or HUB_ADDRESS).rstrip("/")


def hub_host() -> str:
    """Return the host of the Hugging Face hub, with its port where that is not 443."""
    address = urlparse(hub_address())
    return f"{address.netloc}:80" if address.scheme == "http" and address.port is None else address.netloc


def is_on_hub(url: str) -> bool:
    """Return whether an address belongs to the Hugging Face hub, or to its mirror in `HF_ENDPOINT`.

    Args:
        url: Address of a file.
    """
    return any(url.startswith(f"{hub}/") for hub in (HUB_ADDRESS, hub_address()))


def hub_login(url: str) -> dict[str, str]:
    """Return the header that shows the hub who asks; empty for other hosts, and where nobody has logged in.

    A token is sent encrypted, or to this machine.

    Args:
        url: Address of a file.
    """
    if not is_on_hub(url) or not (url.startswith("https://") or urlparse(url).hostname in LOOPBACK):
        return {}
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def cached_on_hugging_face(repository: str, filenames: tuple[str, ...], revision: str | None = None) -> bool:
    """Return True if any of these files of a Hugging Face repository is in the local cache.

    Args:
        repository: `owner/name` on the hub.
        filenames: Names of files in the repository.
        revision: Branch, tag or commit; None for the main branch.
    """
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, name, revision=revision), str) for name in filenames)


def cached_by_torch(url: str) -> bool:
    """Return True if torch.hub has already downloaded this file.

    Args:
        url: Address of the file.
    """
    return torch_cache_path(url).is_file()


def torch_cache_path(url: str) -> Path:
    """Return where torch.hub keeps a file that it downloads.

    Args:
        url: Address of the file.
    """
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def reachable(host: str) -> bool:
    """Return True if a connection to a host opens within `TIMEOUT_SECONDS`, directly or through the system's proxy.

    The Hugging Face hub is not asked where the user forbids it.

    Args:
        host: Name of the host, without scheme; a port other than 443 after a colon.
    """
    from urllib.request import getproxies, proxy_bypass

    if host == hub_host() and offline():
        return False
    host, _, port = host.partition(":")
    proxy = None if proxy_bypass(host) else getproxies().get("https")
    if proxy:
        target = urlparse(proxy if "://" in proxy else f"http://{proxy}")
        address = (target.hostname or host, target.port or 80)
    else:
        address = (host, int(port or 443))
    try:
        with socket.create_connection(address, timeout=TIMEOUT_SECONDS):
            return True
    except OSError:
        return False
