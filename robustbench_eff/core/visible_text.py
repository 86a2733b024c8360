"""Text from outside as a terminal may show it: characters that move the cursor or turn the order are written out."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Control characters besides the tab and the end of a line, those that turn the order of letters, those without width,
and halves of characters that no encoding can write."""


def visible(text: str) -> str:
    """Return a text with every character that a terminal obeys instead of showing it as its number.

    Args:
        text: Any text.
    """
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
