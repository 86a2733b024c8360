"""Pictures in a store: PNG files, whose chunks have checksums of their own."""

from __future__ import annotations

import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_picture(content: bytes) -> bool:
    """Return whether this is a PNG file of which every chunk has its checksum, up to the end.

    Source: W3C, Portable Network Graphics, section 5: length, type, data and CRC-32 of type and data.

    Args:
        content: Content of the file.
    """
    if not content.startswith(SIGNATURE):
        return False
    position = len(SIGNATURE)
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind, end = content[position + 4 : position + 8], position + 8 + length
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return False
        position = end + 4
        if kind == b"IEND":
            return position == len(content)
    return False
