"""Write robustbench_eff/facts/corrupted.npz: the test picture of `robust-eval verify` under every corruption.

    python scripts/golden_corruptions.py

Tests in tests/corruptions compare the kernels with the reference packages; this file stores their exact output.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robustbench_eff.diagnostics.verify import corrupted, referenced_corruptions

OUT = Path(__file__).parents[1] / "robustbench_eff" / "facts" / "corrupted.npz"


def main() -> None:
    """Write the file."""
    np.savez_compressed(OUT, allow_pickle=False, **{name: corrupted(name) for name in referenced_corruptions()})


if __name__ == "__main__":
    main()
