"""CRC-32C, the checksum of TensorFlow's files, of many bytes at once with NumPy.

Source: Koopman 2002; the polynomial of Castagnoli et al. 1993, with bits reversed. The check value of b"123456789" is
0xE3069283.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_POLYNOMIAL = 0x82F63B78
_LANE = 1024
"""Bytes that are summed one after another; all such pieces of the content are summed at the same time."""
_Table = npt.NDArray[np.uint32]


def crc32c(content: bytes | npt.NDArray[np.uint8]) -> int:
    """Return the checksum of bytes.

    Args:
        content: The bytes.
    """
    values = np.frombuffer(content, np.uint8)
    first = len(values) % _LANE
    total = _update(0xFFFFFFFF, values[:first])
    lanes = values[first:].reshape(-1, _LANE)
    for start in range(0, len(lanes), 2**14):  # 16 MiB, so that little memory is needed
        sums = _of_lanes(lanes[start : start + 2**14])
        for value in sums.tolist():
            total = _after_lane(total) ^ value
    return total ^ 0xFFFFFFFF


def _update(total: int, values: npt.NDArray[np.uint8]) -> int:
    table = _tables()[0].tolist()
    for byte in values.tolist():
        total = table[(total ^ byte) & 0xFF] ^ (total >> 8)
    return total


def _of_lanes(lanes: npt.NDArray[np.uint8]) -> _Table:
    """Sums of the rows, each from zero, four bytes at a time."""
    words = np.ascontiguousarray(np.ascontiguousarray(lanes).view("<u4").T)
    tables = _tables()
    sums = np.zeros(len(lanes), np.uint32)
    for word in words:
        sums ^= word
        sums = (
            tables[3][sums & 0xFF]
            ^ tables[2][(sums >> 8) & 0xFF]
            ^ tables[1][(sums >> 16) & 0xFF]
            ^ tables[0][sums >> 24]
        )
    return sums


def _after_lane(total: int) -> int:
    """What a sum becomes when a lane of zeros follows."""
    shift = _lane_shift()
    return shift[0][total & 0xFF] ^ shift[1][total >> 8 & 0xFF] ^ shift[2][total >> 16 & 0xFF] ^ shift[3][total >> 24]


@cache
def _tables() -> tuple[_Table, ...]:
    """What each byte adds to the sum, with none to three bytes of zeros behind it."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    tables = [table]
    for _ in range(3):
        tables.append(table[tables[-1] & 0xFF] ^ (tables[-1] >> 8))
    return tuple(tables)


@cache
def _lane_shift() -> list[list[int]]:
    """What each byte of a sum becomes when a lane of zeros follows: the sum is linear in its bits."""
    table = _tables()[0]
    moved = []
    for position in range(4):
        sums = np.arange(256, dtype=np.uint32) << (8 * position)
        for _ in range(_LANE):
            sums = table[sums & 0xFF] ^ (sums >> 8)
        moved.append(sums.tolist())
    return moved
