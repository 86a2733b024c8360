"""Count what comes of damaged stores: python scripts/stores_that_lie.py --flips 2000

`same`: every number is the same; `said`: a warning, an error or a flag says it; `failed`: other numbers in silence, or
an error of another class. Exits with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from lying_stores import KINDS, damages, flips, make, read, verdict


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="flipped bits for each kind of file")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = make(Path(folder) / "sound")
        sound = read(place)
        print(f"{'':40} {'tried':>6} {'same':>6} {'said':>6} {'failed':>6}")
        for kind in KINDS:
            failed += _row(f"bits of {kind}", Counter(flips(place, kind, arguments.flips)))
        found = Counter[str]()
        for name, damage in damages():
            copy = Path(shutil.copytree(place, Path(folder) / "copy", symlinks=True))
            damage(copy)
            outcome = verdict(copy, sound, None)
            found[outcome if outcome in ("same", "said") else f"{name}: {outcome}"] += 1
            shutil.rmtree(copy)
        failed += _row("upgrades, copies and exchanges", found)
    sys.exit(1 if failed else 0)


def _row(name: str, found: Counter[str]) -> int:
    failed = {what: number for what, number in found.items() if what not in ("same", "said")}
    print(f"{name:40} {found.total():6} {found['same']:6} {found['said']:6} {sum(failed.values()):6}")
    for what, number in failed.items():
        print(f"    {number} x {what[:300]}")
    return sum(failed.values())


if __name__ == "__main__":
    main()
