"""Load an object of the user by its place: `path/to/file.py:name` or `package.module:name`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .code_origin import CodeOrigin
from .errors import RobustEvalError, UsageError, did_you_mean
from .source_code import is_users

FORMS = "Write path/to/file.py:NAME or package.module:NAME."
TRACEBACK = "ROBUST_EVAL_TRACEBACK=1 prints the whole traceback."


def load_object(place: str, origin: CodeOrigin) -> Any:
    """Return an object of the user's code.

    A file is executed once per content: loading it again returns the same objects until the file changes.

    Args:
        place: `path/to/file.py:name`, where the path may be relative, absolute or begin with `~`, or
            `package.module:name`. The folder of a file and, for a module, the working directory are added to the end
            of the Python path.
        origin: Who names the place.

    Raises:
        UsageError: The text does not have that form, a file names the place and is not trusted, the file or module
            cannot be imported, or it does not define the name.
    """
    code, name = split_place(place)
    origin.check(code, name)
    path = Path(code).expanduser()
    module = _executed(path.resolve(), path.read_bytes()) if _is_file(code) and path.is_file() else load_module(code)
    return get_attribute(module, name, code)


def split_place(place: str) -> tuple[str, str]:
    """Return the file or module of a place, and the name in it.

    Args:
        place: `path/to/file.py:name` or `package.module:name`.

    Raises:
        UsageError: The text does not have that form.
    """
    code, _, name = place.rpartition(":")
    if not code or not name:
        raise UsageError(f"{place!r} does not name an object.", FORMS)
    return code, name


def load_module(code: str) -> ModuleType:
    """Return a module of the user; a file is executed anew every time and may import its neighbours.

    Args:
        code: `path/to/file.py`, which may begin with `~`, or `package.module`.

    Raises:
        UsageError: The code is neither a Python file nor the name of a module, the file does not exist, or the code
            cannot be imported.
    """
    if not _is_file(code):
        if "/" in code or "\\" in code or Path(code).is_file():
            raise UsageError(f"{code} is neither a Python file nor the name of a module.", FORMS)
        _add_to_path(Path.cwd())
        try:
            return importlib.import_module(code)
        except RobustEvalError:
            raise
        except Exception as error:
            raise _import_error(code, error) from error
    path = Path(code).expanduser()
    if not path.is_file():
        raise UsageError(f"{code} cannot be imported: the file does not exist.", "Check the path.")
    return _execute(path)


def get_attribute(module: ModuleType, name: str, code: str) -> Any:
    """Return an attribute of a module.

    Args:
        module: Module that should define the name.
        name: Name of the attribute.
        code: The module as the user wrote it, for the error message.

    Raises:
        UsageError: The module does not define the name, or its value is None.
    """
    if not hasattr(module, name):
        defined = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        listed = f"It defines {', '.join(defined)}." if defined else FORMS
        raise UsageError(f"{code} does not define {name!r}.", did_you_mean(name, defined or vars(module)) or listed)
    value = getattr(module, name)
    if value is None:
        raise UsageError(f"{name} of {code} is None.")
    return value


def raised_at(error: Exception) -> str:
    """Return the file and line, `model.py:12`, at which an error was raised: the last one in the user's code.

    Args:
        error: An error that was caught.
    """
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if Path(frame.filename).is_file() and is_users(frame.filename)]
    frame = [*frames, *users][-1]
    return f"{frame.filename}:{frame.lineno}"


@contextmanager
def neighbours_first(path: Path) -> Iterator[None]:
    """Let code of a file import its neighbours as a script does: before any installed package of the same name.

    Afterwards they come last, so that a library that is imported later is the installed one.

    Args:
        path: The file; anything else changes nothing.
    """
    if not path.is_file():
        yield
        return
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        _add_to_path(Path(folder))


def _is_file(code: str) -> bool:
    return code.endswith(".py")


@cache
def _executed(path: Path, content: bytes) -> ModuleType:
    """The module of a file with that content."""
    del content  # only tells versions of the file apart
    return _execute(path)


def _execute(path: Path) -> ModuleType:
    # A unique name: a file called copy.py must not replace the standard library's copy, nor another file of that name.
    path_hash = hashlib.blake2b(str(path.resolve()).encode(), digest_size=4).hexdigest()
    name = f"_robust_eval_user_{path.stem}_{path_hash}"
    try:
        spec = importlib.util.spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
        if spec is None or spec.loader is None:
            raise UsageError(f"{path} cannot be imported.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickle look a module up by name
        with neighbours_first(path):
            spec.loader.exec_module(module)
    except RobustEvalError:
        raise
    except Exception as error:
        raise _import_error(str(path), error) from error
    return module


class _FromSource(SourceFileLoader):
    """Compiles a file whenever it is executed: cached bytecode misses an edit within a second that keeps the size."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file as it is now.

        Args:
            fullname: Name of the module.
        """
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _add_to_path(folder: Path) -> None:
    """Add a folder to the end of the Python path, where its files cannot take the place of an installed package."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _import_error(code: str, error: Exception) -> UsageError:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        is_the_module = f"{code}.".startswith(f"{error.name}.")
        hint = FORMS if is_the_module else f"Install {error.name}, or add its folder to PYTHONPATH."
    elif isinstance(error, SyntaxError):
        hint = ""
    elif isinstance(error, ImportError) and "relative import" in str(error):
        path = Path(code).resolve()
        hint = f"It is a part of a package: in {path.parent.parent}, write {path.parent.name}.{path.stem}:NAME"
    else:
        reason, hint = f"{reason} ({raised_at(error)})", TRACEBACK
    return UsageError(f"{code} cannot be imported: {reason}", hint)
