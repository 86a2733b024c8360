"""Records of runs."""

from __future__ import annotations

from fuzz_kinds.store_files import kind_of_file

KIND = kind_of_file("run")
