"""A safetensors file in parts: `model.safetensors.index.json`, as Hugging Face writes it, and the files it lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from robustbench_eff.core.errors import ModelError
from robustbench_eff.core.outside_files import read_json
from robustbench_eff.core.tensor_files import SUFFIX, read_tensor_file

from .weight_values import shown

END = ".safetensors.index.json"
"""End of the name of a list of parts."""


def is_list_of_shards(path: Path) -> bool:
    """Return True if a file lists the parts of a safetensors file, by its name.

    Args:
        path: File of weights.
    """
    return path.name.endswith(END)


def read_shards(index: Path) -> dict[str, Tensor]:
    """Return the tensors of all parts by name.

    Args:
        index: The list; its parts are in the same folder.

    Raises:
        ModelError: The list or a part cannot be read, a part is elsewhere, or a tensor is not in its part.
    """
    content: Any = read_json(index, ModelError)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise ModelError(f"{index} is not a list of parts: it needs a weight_map of tensors to names of files.")
    for name in set(places.values()):
        if Path(name).name != name or not name.endswith(SUFFIX):
            raise ModelError(
                f"{index} names a file {shown(name)}, which is not a .safetensors file in the same folder.",
                "Do not use it unless you trust who made it.",
            )
    parts = {name: read_tensor_file(index.with_name(name), ModelError) for name in sorted(set(places.values()))}
    found: dict[str, Tensor] = {}
    for key, name in places.items():
        if key not in parts[name]:
            raise ModelError(f"{index} places {shown(key)} in {name}, which does not hold it.", "Download them again.")
        found[key] = parts[name][key]
    return found
