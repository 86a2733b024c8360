"""Write the tables of speed in the documentation from speed/results/*.json: python speed/tables.py

Every table has a column per processor on which the work was measured, so that the documentation shows the range.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import record

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = ("pgd-50", "autoattack standard", "one pixel")
"""Beginnings of the attacks that the documentation shows; the files have more."""
PLAIN = "float32 as it is"
EXACT = "float32 copy"
"""Peer of attacks along bfloat16 gradients."""
NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1"}
Cells: TypeAlias = dict[str, dict[str, str]]
"""A text for each row and processor."""


def main() -> None:
    """Rewrite the pages."""
    for page in PAGES:
        file = DOCS / page
        file.write_text(written(file.read_text()))


def written(page: str) -> str:
    """Return a page with every table between its two marks renewed."""
    return re.sub(
        r"(<!-- speed: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n\n" + found[3],
        page,
        flags=re.DOTALL,
    )


def corruptions() -> str:
    """Return how many times faster each corruption is than in its reference."""
    cells: Cells = {}
    for facts in _results("corruptions"):
        for row in facts["rows"]:
            cells.setdefault(row["corruption"], {})[_where(facts)] = (
                f"{row['times']:.2g}" if row["times"] < 10 else f"{row['times']:.0f}"
            )
    return _table("times faster", cells)


def attacks() -> str:
    """Return our time divided by that of each peer, and how many samples remain correct under both."""
    cells: Cells = {}
    for facts in _results():
        for row in facts["rows"]:
            if "peer" not in row or row["peer"] == EXACT or not row["attack"].startswith(SHOWN):
                continue
            name, how = re.split(r", (?=default|asked for|b?float)", row["attack"], maxsplit=1)
            plain = how == PLAIN
            what = f"{name.rsplit(' l', 1)[0]}{', plain network' if plain else ''}"
            label = f"{_network(facts)}, {NORMS[facts['norm']]} {facts['eps']} | {what} | {row['peer']}"
            value = f"{row['ratio']:.2f}{'' if plain else ' ' + how.removeprefix('default ')}"
            cells.setdefault(label, {})[_where(facts)] = f"{value}, {row['ours_right']} / {row['peer_right']}"
    return _table("network, ε | attack | peer", dict(sorted(cells.items())))


def rough() -> str:
    """Return what attacks along bfloat16 gradients leave correct, and their time, beside the same ones in float32."""
    lines = [
        "| network, ε, samples | attack | correct: bfloat16, float32 | broken by only one | time / float32 |",
        "|---|---|---|---|---|",
    ]
    for facts in _results("*-rough"):
        for row in facts["rows"]:
            where = f"{_network(facts)}, {facts['eps']}, {row['n']}"
            alone = f"{len(row['only_ours_broke'])}, {len(row['only_peer_broke'])}"
            name = row["attack"].rpartition(" linf")[0]
            lines.append(
                f"| {where} | {name} | {row['ours_right']}, {row['peer_right']} | {alone} | {row['ratio']:.2f} |"
            )
    return "\n".join(lines)


def _network(facts: dict[str, Any]) -> str:
    network = re.sub(r"^.*?:|\(\)$|\(pad_type.*", "", facts["model"])
    return re.sub(r"\(width=(\d+)\)", r" of width \1", network)


def _results(name: str = "*") -> Iterator[dict[str, Any]]:
    for file in sorted(record.RESULTS.glob(f"*-{name}.json")):
        yield json.loads(file.read_text())


def _where(facts: dict[str, Any]) -> str:
    threads = facts.get("threads", 1)
    return f"{record.title(facts)}, {threads} thread{'s' * (threads > 1)}"


def _table(corner: str, cells: Cells) -> str:
    places = sorted({place for row in cells.values() for place in row})
    lines = [(corner, *places), ("---",) * (corner.count("|") + 1 + len(places))]
    lines += [(label, *(row.get(place, "") for place in places)) for label, row in cells.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES = {"corruptions": corruptions, "attacks": attacks, "rough": rough}
PAGES = ("corruptions.md", "method.md")


if __name__ == "__main__":
    main()
