"""A file of weights, or of another kind, that was named as a model: what it holds, and the option that takes it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch

from robustbench_eff.core.errors import ModelError, UsageError, did_you_mean
from robustbench_eff.core.file_kinds import HEAD_BYTES, kind_of
from robustbench_eff.core.tensor_files import RUNS_CODE, program_in

from .known_architectures import Fit, fitting
from .model_names import MODEL_FILES, PACKED, SUFFIXES
from .state_facts import channels_of, outputs_of, unwrapped
from .weight_values import shown
from .weights import StateDict, read_state

_SHOWN = 4
"""Number of architectures that a message names."""


def explained(name: str) -> UsageError:
    """Return the error for a file or folder that was named as a model: it says what it is, and what to write.

    Nothing that the file contains is run.

    Args:
        name: Its path, as the user wrote it.
    """
    path = Path(name).expanduser()
    if not path.exists():
        folder = path.parent
        near = did_you_mean(path.name, [item.name for item in folder.iterdir()]) if folder.is_dir() else ""
        where = "" if folder.is_dir() else f" The folder {folder} does not exist."
        return UsageError(f"The model {name} is a path, and nothing is there.", f"{near}{where}".strip())
    if path.is_dir():
        return _folder(name, path)
    if path.suffix.lower() == ".ipynb":
        script = path.with_suffix(".py").name
        return UsageError(
            f"{name} is a notebook.",
            f"Write its network into a file: jupyter nbconvert --to script {name}; then --model {script}",
        )
    if prefix := _whole_network(path):
        return UsageError(f"{name} is a whole network, not the name of a model.", f"Write --model {prefix}:{name}")
    try:
        state, notes = read_state(path)
    except ModelError as error:
        return _pickled(name, path) if RUNS_CODE in error.message else error
    return _weights(name, unwrapped(state), notes)


def _folder(name: str, path: Path) -> UsageError:
    inside = sorted(item.name for item in path.iterdir() if item.suffix in (".py", *SUFFIXES) and item.name[0] != ".")
    hint = f"Name a file in it: {', '.join(str(Path(name) / item) for item in inside[:_SHOWN])}." if inside else ""
    return UsageError(f"{name} is a folder that neither a training nor transformers has written.", hint)


def _whole_network(path: Path) -> str:
    """The source that takes a file; empty if it is no whole network."""
    ends = [suffix.lower() for suffix in path.suffixes]
    plain = ends[:-1] if ends and ends[-1] in PACKED else ends
    if plain and plain[-1] in MODEL_FILES:
        return MODEL_FILES[plain[-1]]
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES))
    if kind is not None and ("ONNX" in kind.what or "TensorFlow Lite" in kind.what):
        return "onnx" if "ONNX" in kind.what else "tflite"
    return program_in(path)


def _pickled(name: str, path: Path) -> UsageError:
    """The error for a pickle that needs code."""
    names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path)) if zipfile.is_zipfile(path) else []
    own = [item for item in names if not re.match(r"(torch|builtins|collections|numpy|functools|_codecs)\b", item)]
    needs = f" ({', '.join(map(shown, own[:_SHOWN]))})" if own else ""
    if any(item.startswith("torch.nn.modules.") for item in names):
        return UsageError(
            f"{name} is a whole network in a pickle: reading it would run code{needs}, so nothing was read.",
            "Where it was made: torch.save(model.state_dict(), 'weights.pt'); then, with the file that defines it, "
            f"--model FILE.py --weights weights.pt\nIf you trust its author: "
            f"--model FILE.py --weights {name} --trust-checkpoint",
        )
    return UsageError(
        f"{name} is a checkpoint that holds more than tensors: reading it would run code{needs}, so nothing was read.",
        "Where it was made, save the state_dict alone: torch.save(model.state_dict(), 'weights.pt').\n"
        f"If you trust its author: --model FILE.py --weights {name} --trust-checkpoint",
    )


def _weights(name: str, state: StateDict, notes: Sequence[str]) -> UsageError:
    """The error for a state_dict, which says what network it may belong to."""
    outputs, channels = outputs_of(state), channels_of(state)
    facts = [
        f"{len(state)} tensors, {sum(value.numel() for value in state.values()):,} numbers",
        *([f"a last layer of {outputs} outputs"] if outputs else []),
        *([f"images of {channels} channels"] if channels else []),
    ]
    inside = f" Read from {'; '.join(notes)}." if notes else ""
    message = f"{name} holds weights, not a network: {'; '.join(facts)}.{inside}"
    fits = sorted(fitting(state), key=lambda fit: _rank(fit, Path(name).stem))
    if not fits:
        parts = ", ".join(map(shown, dict.fromkeys(key.partition(".")[0] for key in state)))
        return UsageError(
            f"{message} No network of timm or torchvision has tensors of these names and shapes ({parts[:200]}).",
            f"Name the file that defines the network: --model FILE.py --weights {name}",
        )
    listed = ", ".join(fit.name for fit in fits[:_SHOWN]) + (f" and {len(fits) - _SHOWN} more" if fits[_SHOWN:] else "")
    number = f" --num-classes {fits[0].num_classes}" if fits[0].num_classes else ""
    return UsageError(
        f"{message} All names and shapes fit {listed}.",
        f"Write --model {fits[0].name} --weights {name}{number}"
        + (
            "\nThe others differ in what has no weights, or in how images are prepared: take the one that was trained."
            if fits[1:]
            else ""
        ),
    )


def _rank(fit: Fit, stem: str) -> tuple[bool, int, str]:
    """Architectures that the name of the file contains come first, then short names."""
    architecture = fit.name.partition(":")[2]
    contained = re.sub(r"\W|_", "", architecture) in re.sub(r"\W|_", "", stem.lower())
    return not contained, -len(architecture) if contained else len(architecture), fit.name
