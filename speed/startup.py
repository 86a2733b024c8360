"""Measure how long commands take to start, as ratios to `import torch`, run in turn in new processes."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import record

EVAL = str(Path(sys.executable).with_name("robust-eval"))
FIRST = [EVAL, "--model", "digits_standard", "--attack", "none", "-q", "--store"]
TORCH = "import torch"
SHOWN = 8
"""Imports that are listed."""


def main() -> None:
    """Measure and print; JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    record.add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(folder, arguments.repeats)
        imports = shares([*FIRST[1:], f"{folder}/imports"])
    for row in rows:
        print(f"{row['seconds']:6.2f} s  {row['to_torch']:5.2f} of {TORCH}  {row['command']}")
    print("Largest imports of the first number, milliseconds with what they import in turn:", imports)
    if arguments.out is not None:
        record.write(arguments.out, {"rows": rows, "imports_ms": imports})


def measured(folder: str, repeats: int) -> list[dict[str, Any]]:
    """Return the seconds of every command, and their ratio to `import torch`: medians of runs in turn."""
    subprocess.run([*FIRST, f"{folder}/scored"], check=True, stdout=subprocess.DEVNULL)
    commands = {
        TORCH: [sys.executable, "-c", TORCH],
        "first number of digits_standard": FIRST,
        "score STORE": [EVAL, "score", f"{folder}/scored"],
        "list models": [EVAL, "list", "models"],
        "leaderboard build STORE": [EVAL, "leaderboard", "build", f"{folder}/scored", "--no-published"],
        "--help": [EVAL, "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for repeat in range(repeats):
        for name, command in commands.items():
            words = [*command, f"{folder}/{repeat}"] if command is FIRST else command
            began = time.perf_counter()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return [
        {
            "command": name,
            "seconds": round(median(times), 2),
            "to_torch": round(median(a / b for a, b in zip(times, seconds[TORCH], strict=True)), 2),
        }
        for name, times in seconds.items()
    ]


def shares(words: list[str]) -> dict[str, int]:
    """The packages whose import takes longest, each with all that it imports first."""
    program = f"import sys; sys.argv = ['robust-eval', *{words!r}]; from robustbench_eff.cli import main; main()"
    command = [sys.executable, "-X", "importtime", "-c", program]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, int] = {}
    for line in answer.stderr.splitlines():
        if line.startswith("import time:") and line.count("|") == 2 and "self [us]" not in line:
            _, microseconds, name = line.split("|")
            if (package := name.strip()).count(".") == 0:
                found[package] = int(microseconds) // 1000
    return dict(sorted(found.items(), key=lambda item: -item[1])[:SHOWN])


if __name__ == "__main__":
    main()
