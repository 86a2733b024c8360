"""A fuzz battery: real files of every kind that the package reads, changed at random, and opened as a user would.

Only the package's own errors may leave a reader, within a bound of time and memory. Every input follows from the name
of its kind, a seed and a number, so that a failure is repeated by these three.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import random
import resource
import signal
import string
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from robustbench_eff.core.errors import RobustEvalError

FOUND = Path("build") / "fuzz"
"""Where inputs that are not taken well are stored."""
SECONDS = 10.0
"""Longest time, in seconds, that a reader may take for one input; all samples are small."""
MEMORY = 2 * 2**30
"""Most address space, in bytes, that a reader may take for one input, beyond what the process has."""
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)
_TOKENS = (
    *(
        "NaN",
        "Infinity",
        "-1",
        "1e999",
        "9" * 400,
        "null",
        "true",
        "[]",
        "{}",
        '""',
        "[" * 1500,
        "{" * 1500,
        "(" * 1500,
    ),
    *(
        "\x00",
        "\ufeff",
        "\u202e",
        "\x1b[31m",
        "%s",
        "../../x",
        "/dev/zero",
        "2026-02-30",
        ",",
        ":",
        "'",
        '"',
        "\n",
        "\r",
    ),
    *("0x10", "1_0", "٣", "−1", "&a *a", "!!python/object:os.system", "=1+1", "a" * 70_000),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input from outside."""

    samples: Callable[[Path], Sequence[bytes]]
    """Makes a few small valid inputs; takes an empty folder to make them in."""
    read: Callable[[bytes, Path], object]
    """Opens an input as the package does for a user; takes a folder that earlier inputs have left files in."""
    is_text: bool = False
    """Whether lines and tokens are changed, too."""
    inputs: int = 500
    """Inputs in every run of the tests; `make fuzz` reads many more."""


def text_file(name: str, samples: Sequence[bytes], read: Callable[[Path], object]) -> Kind:
    """Return the kind of a text file that a reader takes by its path.

    Args:
        name: Path of the file below the folder for inputs.
        samples: A few small valid files.
        read: The reader.
    """

    def read_content(content: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read(path)

    return Kind(lambda _folder: samples, read_content, is_text=True)


def keep(name: str, content: bytes) -> Path:
    """Store an input that was taken badly, and return its path.

    Args:
        name: Name of its kind.
        content: The input.
    """
    path = FOUND / name / hashlib.blake2b(content, digest_size=6).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class TooSlow(BaseException):
    """A reader did not return in time. Not an Exception, so that no reader catches it."""


def mutated(samples: Sequence[bytes], draw: random.Random, *, is_text: bool) -> bytes:
    """Return one of the samples after one to four random changes.

    Args:
        samples: Valid inputs, at least one.
        draw: Source of the randomness.
        is_text: Whether lines and tokens are changed, too.
    """
    content = bytearray(draw.choice(samples))
    changes = _CHANGES + (_TEXT_CHANGES * 2 if is_text else ())
    for _ in range(draw.randint(1, 4)):
        draw.choice(changes)(content, draw, samples)
    return bytes(content)


def failure(kind: Kind, content: bytes, folder: Path) -> str | None:
    """Return what is wrong with how a reader took an input; None if it read it or raised an error of the package.

    Args:
        kind: Kind of the input.
        content: The input.
        folder: A folder for its file.
    """
    try:
        with warnings.catch_warnings(), _bounds():
            warnings.simplefilter("ignore")
            kind.read(content, folder)
    except RobustEvalError as error:
        return None if error.message.strip() else f"{type(error).__name__} without a message"
    except TooSlow:
        return f"not read within {SECONDS:g} s"
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever leaves a reader is what is looked for
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None


@contextlib.contextmanager
def _bounds() -> Iterator[None]:
    """Bound the time and the address space of a block."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check(kind: Kind, name: str, folder: Path, *, seed: int, numbers: range) -> Iterator[tuple[int, bytes, str]]:
    """Yield the number, the content and the fault of every input that a reader takes badly.

    Args:
        kind: The kind of the inputs.
        name: Its name.
        folder: An empty folder to work in.
        seed: Seed of the changes.
        numbers: Numbers of the inputs.
    """
    for place in ("samples", "inputs"):
        (folder / place).mkdir()
    samples = kind.samples(folder / "samples")
    for sample in samples:
        if (fault := failure(kind, sample, folder / "inputs")) is not None:
            yield -1, sample, f"an unchanged sample: {fault}"
    for number in numbers:
        content = mutated(samples, random.Random(f"{name} {seed} {number}"), is_text=kind.is_text)
        if (fault := failure(kind, content, folder / "inputs")) is not None:
            yield number, content, fault
        if number % 100 == 0:
            gc.collect()  # mapped files of earlier inputs


_Change = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def _place(content: bytearray, draw: random.Random) -> int:
    """A random position, often near the beginning or the end, where formats keep what they declare."""
    near = min(len(content), draw.choice((16, 64, 512, len(content))))
    return draw.randrange(near + 1) if draw.random() < 0.6 else len(content) - draw.randrange(near + 1)


def _span(content: bytearray, draw: random.Random) -> slice:
    start = _place(content, draw)
    return slice(start, start + draw.choice((1, 2, 4, 8, 64, 1024, len(content))))


def _flip_bits(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    for _ in range(draw.choice((1, 1, 1, 8)) if content else 0):
        content[min(_place(content, draw), len(content) - 1)] ^= 1 << draw.randrange(8)


def _write_number(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    size, start = draw.choice((1, 2, 4, 8)), _place(content, draw)
    number = draw.choice(_NUMBERS) % 2 ** (8 * size)
    content[start : start + size] = number.to_bytes(size, draw.choice(("little", "big")))


def _delete(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    del content[_span(content, draw)]


def _repeat(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    start = _place(content, draw)
    content[start:start] = content[_span(content, draw)][:4096] * draw.choice((1, 2, 50))


def _insert(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    start = _place(content, draw)
    content[start:start] = draw.randbytes(draw.choice((1, 4, 100)))


def _zero(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    span = _span(content, draw)
    content[span] = bytes(len(content[span]))


def _cut(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    del content[_place(content, draw) :]


def _splice(content: bytearray, draw: random.Random, samples: Sequence[bytes]) -> None:
    other = draw.choice(samples)
    content[_place(content, draw) :] = other[draw.randrange(len(other) + 1) :]


def _write_token(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    """Put a token in place of a word or a number."""
    words = _words(content)
    span = draw.choice(words) if words else slice(0, 0)
    content[span] = draw.choice(_TOKENS).encode()


def _exchange_words(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    if len(words := _words(content)) > 1:
        one, two = sorted(draw.sample(words, 2), key=lambda span: span.start)
        first, second = bytes(content[one]), bytes(content[two])
        content[two] = first
        content[one] = second


def _change_lines(content: bytearray, draw: random.Random, _samples: Sequence[bytes]) -> None:
    """Delete, repeat or exchange lines."""
    lines = bytes(content).splitlines(keepends=True) or [b""]
    one, two = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(3):
        case 0:
            del lines[one]
        case 1:
            lines[one:one] = [lines[two]] * draw.choice((1, 1, 1000))
        case _:
            lines[one], lines[two] = lines[two], lines[one]
    content[:] = b"".join(lines)


_WORD = frozenset((string.ascii_letters + string.digits + "._-").encode())


def _words(content: bytearray) -> list[slice]:
    """Return where words and numbers stand, of long texts in the first 20,000 bytes."""
    words, start = [], None
    for position, byte in enumerate([*content[:20_000], 0]):
        if byte in _WORD:
            start = position if start is None else start
        elif start is not None:
            words.append(slice(start, position))
            start = None
    return words


_CHANGES: tuple[_Change, ...] = (_flip_bits, _write_number, _delete, _repeat, _insert, _zero, _cut, _splice)
_TEXT_CHANGES: tuple[_Change, ...] = (_write_token, _exchange_words, _change_lines)
