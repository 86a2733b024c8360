"""Any text as LaTeX that pdflatex sets with the standard fonts: ASCII, with every special character escaped."""

from __future__ import annotations

import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\`{}",
    '"': "''",
    "[": "{[}",  # after the end of a row these two would be its arguments
    "*": "{*}",
    "-": "-{}",  # two hyphens would become a dash
}
_SYMBOLS = {
    "∞": r"$\infty$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "÷": r"$\div$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∈": r"$\in$",
    "−": "$-$",
    "√": r"$\surd$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "°": r"$^\circ$",
    "ℓ": r"$\ell$",
    "…": r"\ldots{}",
    "⁄": "/",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
    "\u0331": "b",
}
_GREEK_VARIANTS = {"EPSILON": "varepsilon", "FINAL SIGMA": "varsigma", "PHI": "varphi"}
_GREEK_AS_LATIN = {
    "ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K", "MU": "M",
    "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X",
}  # fmt: skip
"""Capital letters for which LaTeX has no commands, because they look like Latin ones."""


def tex(text: str) -> str:
    r"""Return text as LaTeX on one line; a character without a Latin form becomes its code, such as `U+6A21`.

    Args:
        text: Any text.
    """
    return "".join(map(_character, unicodedata.normalize("NFC", text)))


def bound(number: str) -> str:
    r"""Return a number as LaTeX, of which `> 0.0627` is one formula.

    Args:
        number: A number, `∞`, or a number after `> `.
    """
    return f"${number}$" if number.startswith(">") else tex(number)


def _character(mark: str) -> str:
    if mark in _SPECIAL:
        return _SPECIAL[mark]
    if mark in _SYMBOLS:
        return _SYMBOLS[mark]
    if not mark.isprintable() or mark.isspace():
        return " "
    if mark.isascii():
        return mark
    return _accented(mark) or _greek(mark) or _plain(mark) or f"{{[}}U+{ord(mark):04X}{{]}}"


def _accented(mark: str) -> str:
    """Return a Latin letter with one accent; empty for anything else."""
    letters = unicodedata.normalize("NFD", mark)
    if len(letters) != 2 or not letters[0].isascii() or letters[1] not in _ACCENTS:
        return ""
    letter = {"i": r"\i", "j": r"\j"}.get(letters[0], letters[0])
    return f"\\{_ACCENTS[letters[1]]}{{{letter}}}"


def _greek(mark: str) -> str:
    """Return one of the 24 letters of the Greek alphabet or a final sigma; empty for anything else."""
    if not "\u03b1" <= mark.lower() <= "\u03c9":
        return ""
    group, _, name = unicodedata.name(mark).replace("LAMDA", "LAMBDA").partition(" LETTER ")
    if group == "GREEK CAPITAL":
        return _GREEK_AS_LATIN.get(name) or f"$\\{name.capitalize()}$"
    return "o" if name == "OMICRON" else f"$\\{_GREEK_VARIANTS.get(name, name.lower())}$"


def _plain(mark: str) -> str:
    """Return the plain characters that a character is a form of, such as a full-width letter; empty for others."""
    kind, _, codes = unicodedata.decomposition(mark).partition("> ")
    if not codes:
        return ""
    letters = "".join(_character(chr(int(code, 16))) for code in codes.split())
    command = {"<super": r"\textsuperscript", "<sub": r"\textsubscript"}.get(kind)
    return letters if command is None else f"{command}{{{letters}}}"


_WIDTHS = {
    0.28: "il,.:;!|'[]",
    0.31: "fj",
    0.34: "- ",
    0.37: "I_",
    0.4: "rst()",
    0.45: "cez",
    0.5: 'ago0123456789/*$~^\\{}`"?',
    0.53: "kqvxyJ",
    0.56: "bdhnpuS",
    0.64: "LZ",
    0.69: "EFP",
    0.75: "wABCDHNRTUVXY",
    0.79: "GKOQ<>=+&@",
    0.84: "m%#",
    1.03: "MW",
}
"""Widths of characters in Computer Modern Roman, in units of the font size."""
_WIDTH_OF = {mark: wide for wide, marks in _WIDTHS.items() for mark in marks}
_OTHER, _CODE = 0.85, 4.2
"""The same of letters with accents and of symbols, and of codes such as `U+6A21` in brackets."""


def width(text: str) -> float:
    """Return an upper estimate of the width of a text in Computer Modern, in units of the font size.

    Args:
        text: The text before it is escaped.
    """
    return sum(map(_width, unicodedata.normalize("NFC", text)))


def _width(mark: str) -> float:
    return _WIDTH_OF.get(mark) or (_CODE if "U+" in _character(mark) else _OTHER)
