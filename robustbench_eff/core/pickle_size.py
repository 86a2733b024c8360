"""How much a pickle describes, counted before it is read: a small one can describe keys that take forever to hash.

The hash of a tuple visits every value within it: a tuple of two times the same tuple, two hundred times over, has
2^200, and a million tuples within one another overflow the stack of the interpreter.
"""

from __future__ import annotations

import pickletools
from typing import IO, Any, NamedTuple

MAX_STEPS = 1_000_000
"""Instructions that a pickle may have: about 35 for every tensor."""
MAX_PROTOCOL = 3
"""Highest protocol of pickles that torch reads without running code."""
MAX_TUPLE_DEPTH = 100
"""Tuples within one another."""
MAX_TUPLE_VALUES = 100_000
"""Values of a tuple and of the tuples within it."""
ALLOCATING = ("builtins bytearray", "__builtin__ bytearray", "torch Tensor", "torch._tensor Tensor")
"""Classes that torch lets a pickle call, and that allocate as many values as they are told to."""
_MARK = pickletools.markobject
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_TO_MEMO = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_FROM_MEMO = ("GET", "BINGET", "LONG_BINGET")


class RefusedPickle(ValueError):
    """A pickle that describes more than is read, or in another way than torch reads; the message is a predicate."""


class _Size(NamedTuple):
    """Size of a value as far as its hash goes."""

    depth: int = 0
    values: int = 1
    is_mark: bool = False
    function: str = ""
    """Name of a function or class that the pickle may call."""


_ONE = _Size()


def check_pickle(file: IO[bytes]) -> None:
    """Check the size of what a pickle describes; the file is then behind it.

    Args:
        file: A file at the beginning of a pickle. Reading it must not take more memory than the file has.

    Raises:
        RefusedPickle: It has more than `MAX_STEPS` instructions, a tuple that is too deep or too large, or calls
            a class that allocates as much as it is told to.
        ValueError: It is not a pickle.
    """
    stack: list[_Size] = []
    memo: dict[Any, _Size] = {}
    for step, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if step > MAX_STEPS:
            raise RefusedPickle(f"has a pickle of more than {MAX_STEPS:,} steps")
        if opcode.name == "PROTO" and isinstance(argument, int) and argument > MAX_PROTOCOL:
            raise RefusedPickle(
                f"is written in pickle protocol {argument}; torch reads at most {MAX_PROTOCOL} without running code"
            )
        if opcode.name in _TO_MEMO:
            memo[len(memo) if opcode.name == "MEMOIZE" else argument] = _last(stack)
        elif opcode.name in _FROM_MEMO:
            stack.append(memo.get(argument, _ONE))
        elif opcode.name == "DUP":
            stack.append(_last(stack))
        else:
            taken = _take(stack, opcode)
            for pushed in opcode.stack_after:
                stack.append(_Size(is_mark=True) if pushed is _MARK else _after(opcode, argument, taken))


def _last(stack: list[_Size]) -> _Size:
    if not stack:
        raise ValueError("an instruction takes a value that is not there")
    return stack[-1]


def _take(stack: list[_Size], opcode: pickletools.OpcodeInfo) -> list[_Size]:
    """Remove what an instruction takes: a fixed number of values, or all since the last mark and what is before it."""
    before = opcode.stack_before
    taken: list[_Size] = []
    if _MARK in before:
        while not _last(stack).is_mark:
            taken.append(stack.pop())
        stack.pop()
        count = before.index(_MARK)
    else:
        count = len(before)
    for _ in range(count):
        _last(stack)
        taken.append(stack.pop())
    return taken


def _after(opcode: pickletools.OpcodeInfo, argument: Any, taken: list[_Size]) -> _Size:
    """Size of what an instruction makes of the values that it took, the last of them first."""
    if opcode.name == "GLOBAL":
        return _Size(function=argument)
    if opcode.name in ("REDUCE", "NEWOBJ") and taken[1].function in ALLOCATING:
        raise RefusedPickle(f"calls {taken[1].function.split()[1]}, which weights do not need")
    if opcode.name not in _TUPLES:
        return _ONE
    size = _Size(1 + max((item.depth for item in taken), default=0), 1 + sum(item.values for item in taken))
    if size.depth > MAX_TUPLE_DEPTH:
        raise RefusedPickle(f"has more than {MAX_TUPLE_DEPTH} tuples within one another")
    if size.values > MAX_TUPLE_VALUES:
        raise RefusedPickle(f"holds more than {MAX_TUPLE_VALUES:,} values in one tuple")
    return size
