"""Write robustbench_eff/facts/corrupted.npz: the picture of `robust-eval verify` under every corruption.

    python scripts/golden_corruptions.py

tests/corruptions checks the kernels against the reference packages; this file preserves their exact output.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robustbench_eff.diagnostics.verify import corrupted, kept_kernels

OUT = Path(__file__).parents[1] / "robustbench_eff" / "facts" / "corrupted.npz"


def main() -> None:
    """Corrupt the picture with every kernel, and write the file."""
    np.savez_compressed(OUT, allow_pickle=False, **{name: corrupted(name) for name in kept_kernels()})


if __name__ == "__main__":
    main()
