"""The discrete cosine transform of eight integers as in libjpeg, for tensors and compiled loops.

Source: Loeffler, Ligtenberg & Moschytz 1989 (ICASSP), with 13 fractional bits as in libjpeg's jfdctint and
jidctint ("islow").
"""

from __future__ import annotations

from typing import Any

BITS = 13
"""Fractional bits of the output."""
C_0298, C_0390, C_0541, C_0765, C_0899, C_1175 = 2446, 3196, 4433, 6270, 7373, 9633
C_1501, C_1847, C_1961, C_2053, C_2562, C_3072 = 12299, 15137, 16069, 16819, 20995, 25172
"""Constants of the algorithm, named by their first digits."""


def forward(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> tuple[Any, ...]:
    """Return the eight amplitudes, scaled by the square root of 8 and by 2^13.

    Args:
        a: First value; like the others an integer, or a tensor or array of them.
        b: Second value.
        c: Third value.
        d: Fourth value.
        e: Fifth value.
        f: Sixth value.
        g: Seventh value.
        h: Eighth value.
    """
    outer, inner, outer_odd, inner_odd = a + h, d + e, a - h, d - e
    near, far, near_odd, far_odd = b + g, c + f, b - g, c - f
    even, slope, other, cross = outer + inner, outer - inner, near + far, near - far
    shared = (cross + slope) * C_0541
    p, q, r, s = inner_odd + outer_odd, far_odd + near_odd, inner_odd + near_odd, far_odd + outer_odd
    both = (r + s) * C_1175
    p, q, r, s = p * -C_0899, q * -C_2562, r * -C_1961 + both, s * -C_0390 + both
    return (
        (even + other) * (1 << BITS),
        outer_odd * C_1501 + p + s,
        shared + slope * C_0765,
        near_odd * C_3072 + q + r,
        (even - other) * (1 << BITS),
        far_odd * C_2053 + q + s,
        shared - cross * C_1847,
        inner_odd * C_0298 + p + r,
    )


def inverse(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> tuple[Any, ...]:
    """Return the eight values, scaled by the square root of 8 and by 2^13.

    Args:
        a: Amplitude of frequency 0; like the others an integer, or a tensor or array of them.
        b: Amplitude of frequency 1.
        c: Amplitude of frequency 2.
        d: Amplitude of frequency 3.
        e: Amplitude of frequency 4.
        f: Amplitude of frequency 5.
        g: Amplitude of frequency 6.
        h: Amplitude of frequency 7.
    """
    shared = (c + g) * C_0541
    slope, curve = shared + c * C_0765, shared - g * C_1847
    total, difference = (a + e) * (1 << BITS), (a - e) * (1 << BITS)
    outer, inner, near, far = total + slope, total - slope, difference + curve, difference - curve
    p, q, r, s = h + b, f + d, h + d, f + b
    both = (r + s) * C_1175
    p, q, r, s = p * -C_0899, q * -C_2562, r * -C_1961 + both, s * -C_0390 + both
    first, second, third, fourth = b * C_1501 + p + s, d * C_3072 + q + r, f * C_2053 + q + s, h * C_0298 + p + r
    return (
        outer + first,
        near + second,
        far + third,
        inner + fourth,
        inner - fourth,
        far - third,
        near - second,
        outer - first,
    )
