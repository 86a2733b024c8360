"""One component of every kind, as a package of its own that joins robustbench_eff by entry points."""
