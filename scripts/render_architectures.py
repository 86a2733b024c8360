"""Write the table of the architectures of timm and torchvision by the names of their tensors; takes some minutes.

Run it after an update of timm or torchvision: python scripts/render_architectures.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import timm
from torchvision import models

from robustbench_eff.models.known_architectures import FILE, TIMM, TORCHVISION, build, digest_of

TABLE = Path(__file__).parents[1] / "robustbench_eff" / "facts" / FILE


def main() -> None:
    """Build every architecture without memory, and write the table."""
    names = [f"{TIMM}:{name}" for name in timm.list_models()]
    names += [f"{TORCHVISION}:{name}" for name in models.list_models(module=models)]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(digest_of(build(name).state_dict()), []).append(name)
    content = {
        "versions": {library: version(library) for library in (TIMM, TORCHVISION)},
        "architectures": {digest: " ".join(sorted(group)) for digest, group in sorted(groups.items())},
    }
    TABLE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
