"""RobustBench's models: what the shipped table says about each name, without importing torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from robustbench_eff.core.errors import ModelError, did_you_mean
from robustbench_eff.core.preprocessing import Geometry

PREFIX = "robustbench:"
"""Start of a name on the command line."""
PACKAGE = "robustbench"
"""Network of an entry that only RobustBench's own package can build."""
INSTALL = (
    "pip install torchdiffeq geotorch gdown pandas jinja2 requests tqdm, then pip install --no-deps 'setuptools<81' "
    "git+https://github.com/RobustBench/robustbench git+https://github.com/fra31/auto-attack"
)
"""Commands that install RobustBench's package beside the timm of this one."""
NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}
"""Number of classes of every dataset."""
THREATS = ("Linf", "L2", "corruptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustBenchEntry:
    """One model of RobustBench."""

    name: str
    """Dataset, threat model and name, such as `cifar10/Linf/Carmon2019Unlabeled`."""
    label: str
    """Architecture as RobustBench publishes it."""
    family: str
    """Architecture family, as in the published results."""
    defense: str
    """Training method, as in the published results."""
    weights: tuple[str, ...] = ()
    """Addresses of its files, one for each member of an ensemble; none where RobustBench has only numbers."""
    network: str = ""
    """Text of the network: of `models.networks.catalog`, timm or torchvision; `PACKAGE`; or empty for none."""
    parameters: int = 0
    """Number of parameters."""
    geometry: Geometry
    """How an image becomes the input."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Mean of each channel that the network subtracts."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    """What it divides each channel by."""
    unreliable: bool = False
    """Whether RobustBench calls its own number under AutoAttack unreliable."""
    constants_in_file: bool = False
    """Whether mean and std are those of the file of weights, which must have them."""
    standardised: bool = False
    """Whether every image is standardised by its own mean and standard deviation."""
    entry: str = ""
    """Entry of the checkpoint that RobustBench loads, where there are several."""
    ignored: tuple[str, ...] = ()
    """Parts of the names of tensors in the file that RobustBench does not load."""
    parts: tuple[str, ...] = ()
    """Module that each of several files belongs to, with a dot at its end, where it is no member of a mean."""

    @property
    def dataset(self) -> str:
        """Return `cifar10`, `cifar100` or `imagenet`."""
        return self.name.split("/")[0]

    @property
    def threat(self) -> str:
        """Return `Linf`, `L2` or `corruptions`."""
        return self.name.split("/")[1]

    @property
    def short(self) -> str:
        """Return the name alone, which other datasets and threat models may have too."""
        return self.name.split("/")[2]

    @property
    def alias(self) -> str:
        """Return the name in the published results: `rb_cifar10_linf_carmon2019unlabeled`."""
        return f"rb_{self.name}".lower().replace("/", "_").replace("-", "_")

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the dataset."""
        return NUM_CLASSES[self.dataset]


@cache
def robustbench_entries() -> dict[str, RobustBenchEntry]:
    """Return all models by full name, sorted."""
    rows = json.loads((files("robustbench_eff") / "facts" / "robustbench.json").read_text(encoding="utf-8"))["models"]
    return {row["name"]: _entry(row) for row in sorted(rows, key=lambda row: row["name"])}


def find_entry(target: str) -> RobustBenchEntry:
    """Return the model of a name.

    Args:
        target: Full name, or its end if no other name ends so; upper case and separators do not count.

    Raises:
        ModelError: No name, or several, end so.
    """
    plain = _plain(target.removeprefix(PREFIX).removesuffix(".pt"))
    known = robustbench_entries()
    matching = [name for name in known if plain and f"/{_plain(name)}".endswith(f"/{plain}")]
    if len(matching) == 1:
        return known[matching[0]]
    if matching:
        names = ", ".join(f"{PREFIX}{name}" for name in matching)
        raise ModelError(f"{len(matching)} models of RobustBench are called {target}: {names}.", "Pass one of them.")
    same_end = [name for name in known if f"/{_plain(name)}".endswith(f"/{plain.rpartition('/')[2]}")]
    offers = (same_end if plain.rpartition("/")[2] else []) or [*known, *(entry.short for entry in known.values())]
    guess = did_you_mean(target, offers) or did_you_mean(target.rpartition("/")[2], same_end)
    raise ModelError(
        f"RobustBench has no model {target!r}.",
        f"{guess}\nList the names with `robust-eval list models 'robustbench:*'`.".lstrip(),
    )


def _plain(name: str) -> str:
    """A name in one spelling: `CIFAR-10/l_inf/x` as `cifar10/linf/x`."""
    return "/".join(part.lower().replace("-", "").replace("_", "") for part in name.strip("/").split("/"))


def _entry(row: dict[str, Any]) -> RobustBenchEntry:
    geometry = {key: row[key] for key in ("size", "mode", "resize", "interpolation") if key in row}
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items() if key not in geometry
    }
    return RobustBenchEntry(**fields, geometry=Geometry(**(geometry or {"size": 32, "mode": "none"})))
