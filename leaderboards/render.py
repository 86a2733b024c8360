"""Pages from templates, with everything escaped that an entry says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def page(template: Path, **said: Any) -> str:
    """The page of a template, which may extend others in its folder."""
    return _environment(template.parent).get_template(template.name).render(said)


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
