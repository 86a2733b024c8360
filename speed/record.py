"""Where results of the scripts go, and on what they were measured: speed/results/PROCESSOR-NAME.json."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch

from robustbench_eff.system import environment

RESULTS = Path(__file__).parent / "results"
UNITS = ("amx_fp16", "amx_bf16", "amx_tile", "avx512_fp16", "avx512_bf16", "avx512f", "avx2", "sve", "asimd")
"""Flags that decide how fast a network is, the fastest first; the first one that a processor has names it."""
FAMILIES = ("avx", "amx", "fma", "sve", "asimd", "bf16", "i8mm")
"""Beginnings of the flags that are recorded."""
NOT_RECORDED = "flags not recorded"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add --out to the options of a script."""
    parser.add_argument("--out", type=Path, help="NAME of speed/results/PROCESSOR-NAME.json, or a path with .json")


def write(out: Path, content: dict[str, Any]) -> None:
    """Write results with the machine and the versions that they were measured on.

    Args:
        out: What --out says.
        content: Settings and `rows` of the script.
    """
    facts = {name: value for name, value in environment.describe().items() if name != "command"}
    facts |= {"flags": flags(), "threads": torch.get_num_threads()}
    file = out if out.suffix == ".json" else RESULTS / f"{slug(facts)}-{out}.json"
    file.write_text(json.dumps(facts | content, indent=1) + "\n")


def flags() -> list[str]:
    """Return the processor's flags for vectors and matrices, in order; none where the system does not list them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = next((line.partition(":")[2].split() for line in lines if re.match(r"(?i)(flags|features)\s*:", line)), [])
    return sorted({name for name in names if name.startswith(FAMILIES)})


def slug(facts: dict[str, Any]) -> str:
    """Return the name of a processor in the names of files, such as `amd-epyc-avx512bf16`.

    Args:
        facts: `processor`, its model name, and `flags`, if they were recorded.
    """
    words = re.sub(r"\((r|tm)\)|@.*|\b(cpu|processor|\d+-core)\b", " ", str(facts["processor"]).lower())
    unit = next((unit for unit in UNITS if unit in facts.get("flags", ())), "")
    return "-".join((*re.findall(r"[a-z0-9]+", words), *([unit.replace("_", "")] if unit else [])))


def title(facts: dict[str, Any]) -> str:
    """Return the name of a processor for people, such as `AMD EPYC, avx512_bf16`.

    Args:
        facts: As for `slug`.
    """
    name = " ".join(re.sub(r"\((R|TM)\)|@.*|\b(CPU|Processor)\b", " ", str(facts["processor"])).split())
    if "flags" not in facts:
        return f"{name}, {NOT_RECORDED}"
    return ", ".join((name, *[unit for unit in UNITS if unit in facts["flags"]][:1]))
