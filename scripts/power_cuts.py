"""Power cuts: the states in which a file system may be afterwards, by the least that POSIX promises.

What was written to a file survives once it is synchronized; before, the file may be empty, cut off, or full of zeros.
The names in a folder (new, renamed and removed files) survive once the folder is synchronized; before, any of the
changes may be lost, and later ones survive without earlier ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from file_operations import Operation

FOLDER = -1
"""In place of the number of a file."""
Change = tuple[str, str, int | None]
"""Folder whose names change, name, and the number of the file that has it now; None if nothing has it."""


@dataclass(slots=True)
class Disk:
    """Names and contents of files, now and on the disk."""

    names: dict[str, int] = field(default_factory=dict)
    safe_names: dict[str, int] = field(default_factory=dict)
    pending: list[list[Change]] = field(default_factory=list)
    """Changes since their folder was synchronized; those of one operation survive together."""
    contents: dict[int, bytes] = field(default_factory=dict)
    safe_contents: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, bytes | None]) -> Disk:
        """Return the disk of a machine that has started again with this state."""
        names = {name: FOLDER if content is None else number for number, (name, content) in enumerate(state.items())}
        contents = {names[name]: content for name, content in state.items() if content is not None}
        return cls(dict(names), dict(names), [], dict(contents), dict(contents))

    def apply(self, operation: Operation) -> None:
        """Carry out an operation."""
        match operation.kind:
            case "make":
                self._change([(operation.path, FOLDER)])
            case "create":
                number = max(self.contents, default=0) + 1
                self.contents[number] = b""
                self._change([(operation.path, number)])
            case "sync":
                number = self.names[operation.path]
                self.contents[number] = self.safe_contents[number] = operation.content
            case "rename":
                number = self.names[operation.path]
                self.contents[number] = operation.content
                self._change([(operation.path, None), (operation.target, number)])
            case "remove":
                self._change([(operation.path, None)])
            case "sync folder":
                for changes in self.pending:
                    _make(self.safe_names, [change for change in changes if change[0] == operation.path])
                left = [[change for change in changes if change[0] != operation.path] for changes in self.pending]
                self.pending = [changes for changes in left if changes]

    def settle(self) -> None:
        """Let the system write everything, as it does within some seconds."""
        self.safe_names, self.safe_contents, self.pending = dict(self.names), dict(self.contents), []

    def _change(self, changes: Sequence[tuple[str, int | None]]) -> None:
        made: list[Change] = [(_folder(name), name, number) for name, number in changes]
        _make(self.names, made)
        self.pending.append(made)

    def after_power_cut(self, generator: random.Random) -> dict[str, bytes | None]:
        """Return one of the states that a power cut may leave: contents by name, None for folders."""
        names, share = dict(self.safe_names), generator.choice([0.0, 0.5, 1.0])
        for changes in self.pending:
            if generator.random() < share:
                _make(names, changes)
        reachable = {name for name in names if all(names.get(above) == FOLDER for above in _folders(name))}
        return {name: self._content(names[name], generator) for name in sorted(reachable)}

    def _content(self, number: int, generator: random.Random) -> bytes | None:
        if number == FOLDER:
            return None
        now, safe = self.contents[number], self.safe_contents.get(number, b"")
        return now if now == safe else generator.choice([safe, now[: len(now) // 2], bytes(len(now)), now])


def states(operations: Sequence[Operation], seed: int, draws: int = 3) -> Iterator[dict[str, bytes | None]]:
    """Yield states after a power cut behind every operation, different ones only."""
    disk, generator, seen = Disk(), random.Random(seed), set[str]()
    for operation in operations:
        disk.apply(operation)
        for _ in range(draws):
            state = disk.after_power_cut(generator)
            if repr(state) not in seen:
                seen.add(repr(state))
                yield state


def write(state: dict[str, bytes | None], folder: Path) -> None:
    """Write a state into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in state.items():
        if content is None:
            (folder / name).mkdir(exist_ok=True)
        else:
            (folder / name).write_bytes(content)


def _make(names: dict[str, int], changes: Sequence[Change]) -> None:
    for _, name, number in changes:
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.as_posix()


def _folders(name: str) -> list[str]:
    """The folders above a name, without the root."""
    return [path.as_posix() for path in PurePosixPath(name).parents if path.as_posix() != "."]
