"""The code of a user's functions and classes: a hash of its bytecode, and the globals and modules that it uses."""

from __future__ import annotations

import dis
import hashlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .source_code import is_users

BOILERPLATE = (
    *("__module__", "__qualname__", "__firstlineno__", "__dict__", "__weakref__", "__doc__", "__slots__"),
    *("__annotations__", "__annotate_func__", "__annotations_cache__", "__static_attributes__", "__match_args__"),
    *("__dataclass_fields__", "__dataclass_params__", "__parameters__", "__orig_bases__", "__protocol_attrs__"),
    *("__abstractmethods__", "_abc_impl", "__slotnames__"),
)
"""Attributes that Python itself adds to classes."""
DESCRIPTORS = types.MemberDescriptorType | types.GetSetDescriptorType


def code_digest(code: types.CodeType) -> bytes:
    """Return a hash of bytecode with its constants and names, of inner functions too, but not of its place in a file.

    Args:
        code: Code of a function.
    """
    digest = hashlib.blake2b(code.co_code, digest_size=16)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            digest.update(code_digest(constant))
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())
    digest.update(repr((code.co_names, code.co_freevars, code.co_cellvars, code.co_argcount, code.co_flags)).encode())
    return digest.digest()


def global_names(code: types.CodeType) -> set[str]:
    """Return the names of the globals that bytecode reads, inner functions too.

    Args:
        code: Code of a function.
    """
    names = {item.argval for item in dis.get_instructions(code) if item.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= global_names(constant)
    return names


def imported_modules(code: types.CodeType) -> dict[str, types.ModuleType]:
    """Return the loaded modules of the user that bytecode imports, by statement or by a text that is their name.

    Args:
        code: Code of a function.
    """
    names = {item.argval for item in dis.get_instructions(code) if item.opname == "IMPORT_NAME"}
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isascii() and constant.replace(".", "").isidentifier():
            names.add(constant)
    found = {name: sys.modules[name] for name in sorted(names) if name in sys.modules}
    found = {name: module for name, module in found.items() if not module_is_installed(name)}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= imported_modules(constant)
    return found


def class_members(kind: type, package: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what the user's code defines in a class: everything in a class of the user, replaced methods in any other.

    Args:
        kind: The class, without its bases.
        package: Name of an installed package whose code counts as the user's.
    """
    own = not module_is_installed(kind.__module__, package)
    for name, member in vars(kind).items():
        if name in BOILERPLATE or isinstance(member, DESCRIPTORS):
            continue
        if own or _is_replaced(member):
            yield name, member


def module_is_installed(name: str, package: str = "") -> bool:
    """Return whether a module belongs to Python, to an installed package or to this one.

    Args:
        name: Name of the module.
        package: Name of an installed package that counts as the user's.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    if top == "__main__" or top == package:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and is_installed(file, package)


def is_installed(file: str, package: str = "") -> bool:
    """Return whether a source file belongs to Python, to an installed package or to this one.

    Args:
        file: The file as bytecode names it; a text in angle brackets is not a file.
        package: Name of an installed package that counts as the user's.
    """
    if file.startswith("<"):
        return file.startswith("<frozen ")
    return not is_users(file) and not _belongs_to(Path(file), package)


def _is_replaced(member: Any) -> bool:
    """True for a function of the user in a class of another."""
    function = getattr(member, "__func__", getattr(member, "fget", member))
    if not isinstance(function, types.FunctionType):
        return False
    file = function.__code__.co_filename
    return function.__module__ == "__main__" or (not file.startswith("<") and not is_installed(file))


def _belongs_to(file: Path, package: str) -> bool:
    """True for a file of a package, or a single-file module installed beside it."""
    module = sys.modules.get(package)
    origin = getattr(module, "__file__", None)
    if origin is None:
        return False
    place = Path(origin).parent
    if not hasattr(module, "__path__"):
        return file.parent == place
    return place in file.parents or file.parent == place.parent
