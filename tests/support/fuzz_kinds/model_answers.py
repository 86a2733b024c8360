"""Answers of models."""

from __future__ import annotations

from fuzz_store_files import kind_of_file

KIND = kind_of_file("answers")
