"""Who names a program: the user, or a file, whose programs run only for a user who trusts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError

TRUST_HINT = "If you trust the author of both, add --trust-code; in Python, pass trust_code=True."


@dataclass(frozen=True, slots=True)
class CodeOrigin:
    """Where the name of a program was read.

    What the user writes on the command line or in Python runs. A card, a suite or a sweep may come from somebody else,
    and a program that it names runs only with `--trust-code`.
    """

    file: str = ""
    """The file that names the program; empty where the user does."""
    trusted: bool = False
    """Whether the user lets the file run programs."""

    def check(self, code: str, name: str) -> None:
        """Refuse a program that a file names without being trusted.

        Args:
            code: `path/to/file.py`, `package.module`, or the path of a file that is itself a program.
            name: Name of the object in it; empty for such a file.

        Raises:
            UsageError: A file names the program and is not trusted; the message says what would be run.
        """
        if not self.file or self.trusted:
            return
        if not name:
            would = f"load and run the program {Path(code).expanduser().absolute()}"
        elif code.endswith(".py"):
            would = f"run the file {Path(code).expanduser().absolute()} and then its {name}"
        else:
            would = f"import the module {code} and run its {name}"
        raise UsageError(f"{self.file} would {would}; nothing was run.", TRUST_HINT)


BY_USER = CodeOrigin()
"""The command line, or Python."""
