"""Image classifiers of transformers from the files of a folder: the configuration decides, and is not believed.

A configuration comes from somebody else. Programs that it names run only if the user trusts them, weights are read by
our own readers, and every tensor of the file must have a place in the network.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from robustbench_eff.core.code_origin import CodeOrigin
from robustbench_eff.core.errors import MissingExtra, ModelError, in_one_line
from robustbench_eff.core.outside_files import read_json

from .class_names import plain_names
from .request import ModelRequest
from .weight_values import check_values, shown
from .weights import read_state

if TYPE_CHECKING:
    from types import ModuleType

CONFIG = "config.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Files that may hold the settings of the image processor, and which class reads them."""
_CLASSES = ("AutoConfig", "AutoModelForImageClassification", "AutoImageProcessor", "AutoFeatureExtractor")
"""What a repository may replace by a program of its own, among the classes that are used here."""
_POOLER = ".pooler."
"""Part of the names of a layer that models for pretraining have, and their classifiers do not use."""
_SHOWN = 3


class Description(NamedTuple):
    """The configuration of a folder."""

    name: str
    """The model as messages and the source write it."""
    values: Mapping[str, Any]
    """Content of config.json."""
    runs_code: bool
    """Whether programs of the repository run, which the user has allowed."""

    @property
    def num_classes(self) -> int:
        """Number of outputs; transformers takes two where nothing is said."""
        names, number = self.values.get("id2label"), self.values.get("num_labels")
        return len(names) if isinstance(names, dict) else number if isinstance(number, int) else 2

    @property
    def says_classes(self) -> bool:
        """Whether the configuration says how many outputs there are."""
        return isinstance(self.values.get("id2label"), dict) or isinstance(self.values.get("num_labels"), int)


class Network(NamedTuple):
    """What a folder describes."""

    module: nn.Module
    config: Any
    notes: tuple[str, ...]


def library() -> ModuleType:
    """Return transformers.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("transformers", "hf") from error
    module: ModuleType = transformers
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting what is raised as an error here, and from drawing bars for milliseconds."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def describe(folder: Path, name: str, request: ModelRequest) -> Description:
    """Return the configuration of a folder.

    Args:
        folder: Folder with the files of a model.
        name: The model as messages write it.
        request: The user's options.

    Raises:
        ModelError: There is no configuration, or it is that of another library's model or of a quantised network.
        UsageError: It names a program, and the user does not trust it; the message says what would be run.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise ModelError(
            f"{name} has no {CONFIG}: it is not a model of transformers.",
            "Models of open_clip are open_clip:hf-hub:ORG/NAME; an adapter must be merged into its network first.",
        )
    values = read_json(file, ModelError)
    if not isinstance(values, dict):
        raise ModelError(f"{file} is not the configuration of a model.")
    if "pretrained_cfg" in values or ("model_type" not in values and "architecture" in values):
        raise ModelError(f"{name} is a model of timm.", f"Write timm:hf-hub:{name}")
    if isinstance(quantized := values.get("quantization_config"), dict):
        method = shown(quantized.get("quant_method", "an unknown method"))
        raise ModelError(f"{name} is quantised ({method}); such weights are not read.", "Use what it was made from.")
    runs_code = False
    for place in (file, *(folder / each for each in PROCESSORS)):
        content = values if place == file else read_json(place, ModelError) if place.is_file() else {}
        runs_code |= _checked_programs(content, place, request)
    return Description(name, values, runs_code)


def _checked_programs(content: Any, file: Path, request: ModelRequest) -> bool:
    """Whether a file names programs of its repository; UsageError if it does, and the user does not trust it."""
    named = content.get("auto_map") if isinstance(content, dict) else None
    entries = [named[key] for key in _CLASSES if key in named] if isinstance(named, dict) else []
    for entry in entries:
        for place in [entry] if isinstance(entry, str) else [each for each in entry if isinstance(each, str)]:
            repository, _, inside = place.rpartition("--")
            code, _, attribute = inside.rpartition(".")
            path = f"{repository}/{code}.py" if repository else str(file.parent / f"{code}.py")
            CodeOrigin(str(file), request.trust_code).check(path, attribute)
    return bool(entries)


def build(folder: Path, weights: Path | None, description: Description, request: ModelRequest) -> Network:
    """Return the network of a folder, in eval mode and in float32.

    Args:
        folder: Folder with the files of a model.
        weights: The file of its weights, or another one that the user names; None for random ones.
        description: Its configuration.
        request: The user's options.

    Raises:
        ModelError: It is not an image classifier, cannot be built, or does not fit the weights.
    """
    config, name = _config(folder, description, request, drawn=weights is None), description.name
    known = library().MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    if not description.runs_code and type(config) not in known:
        raise _not_a_classifier(description)
    classes, trusted = library().AutoModelForImageClassification, {"trust_remote_code": description.runs_code}
    try:
        with torch.device("meta" if weights is not None else "cpu"):
            module = classes.from_config(config, dtype=torch.float32, **trusted)
    except Exception as error:
        raise ModelError(f"transformers cannot build {name}: {in_one_line(error)}") from error
    notes: tuple[str, ...] = ()
    if weights is not None:
        module, notes = _loaded(module, config, weights, description, request)
    return Network(module.eval(), config, notes)


def _config(folder: Path, description: Description, request: ModelRequest, *, drawn: bool) -> Any:
    arguments = dict(request.model_args)
    is_own_head = drawn or request.weights is not None or not description.says_classes
    if request.num_classes is not None and is_own_head:
        arguments["num_labels"] = request.num_classes
    try:
        config, unused = library().AutoConfig.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=description.runs_code,
            return_unused_kwargs=True,
            **arguments,
        )
    except Exception as error:
        raise ModelError(f"transformers cannot read {folder / CONFIG}: {in_one_line(error)}") from error
    if unused := [key for key in unused if key in arguments]:
        raise ModelError(f"{description.name} takes no --model-arg {unused[0]}.", f"Look at {folder / CONFIG}.")
    problem = getattr(config, "problem_type", None)
    if problem == "regression" or config.num_labels == 1:
        raise ModelError(f"{description.name} has a single output, a number and not classes.")
    config.name_or_path = description.name  # else the path of this machine would be part of the model's hash
    config._attn_implementation = None  # a file may name a program of the hub here
    return config


def _not_a_classifier(description: Description) -> ModelError:
    named = description.values.get("architectures")
    kind = named[0] if isinstance(named, list) and named else description.values.get("model_type", "model")
    return ModelError(
        f"{description.name} is a {shown(kind)}, for which transformers has no image classifier.",
        "Name a repository whose task is image classification; CLIP is open_clip:ARCH/TAG.",
    )


def _loaded(
    shell: nn.Module, config: Any, weights: Path, description: Description, request: ModelRequest
) -> tuple[nn.Module, tuple[str, ...]]:
    """The network with the tensors of a file, under the names that transformers gives them today."""
    state, notes = read_state(weights, trust=request.trust_checkpoint)
    numbers, stored = (sum(map(Tensor.numel, tensors)) for tensors in (shell.parameters(), state.values()))
    if numbers > 2 * stored and not request.random_weights:
        raise ModelError(
            f"{description.name} describes {numbers:,} numbers, and {weights.name} has {stored:,}.",
            "Is it the file of this configuration, and complete?",
        )
    try:
        module, found = type(shell).from_pretrained(  # type: ignore[attr-defined]
            None,
            config=config,
            state_dict={**state},
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except Exception as error:
        raise ModelError(f"{weights} cannot be loaded into {description.name}: {in_one_line(error)}") from error
    tensors = module.state_dict()
    for key in () if request.random_weights else found["missing_keys"]:
        if tensors[key].is_floating_point():
            tensors[key].fill_(torch.nan)  # as memory that nothing has set: zeros would look as if they were loaded
    pooler = sorted(key for key in found["unexpected_keys"] if _POOLER in f".{key}")
    _check_keys(found, set(pooler), weights, description.name)
    common = {key: value for key, value in state.items() if key in tensors and value.shape == tensors[key].shape}
    notes = (*notes, *check_values(tensors, common, dict(module.named_parameters()).keys(), weights))
    if pooler:
        notes = (*notes, f"{len(pooler)} tensors of a pooler left out, which the classifier does not use")
    return module, (f"weights from {weights.name}", *notes)


def _check_keys(found: Mapping[str, Any], ignored: set[str], weights: Path, name: str) -> None:
    """Refuse tensors without a place; those that are missing are found where all sources' are."""
    unexpected = sorted(set(found["unexpected_keys"]) - ignored)
    mismatched = sorted(str(each[0]) for each in found["mismatched_keys"])
    problems = [
        f"{len(keys)} {what}, such as {', '.join(map(shown, keys[:_SHOWN]))}"
        for what, keys in (("unexpected", unexpected), ("of another shape", mismatched))
        if keys
    ]
    problems += [in_one_line(ValueError(each)) for each in found.get("error_msgs", ())][:1]
    if problems:
        raise ModelError(
            f"{weights.name} of {name} does not fit the network: {'; '.join(problems)}.",
            "Leave out --num-classes and --model-arg. If transformers may ignore what is left over, save what it keeps "
            "with save_pretrained, and pass hf:./FOLDER.",
        )


def class_names(config: Any) -> tuple[str, ...]:
    """Return the names of the outputs; empty for placeholders such as LABEL_0.

    Args:
        config: Configuration of a network.
    """
    by_name = getattr(config, "label2id", None) or {}
    other = {index: name for name, index in by_name.items()} if isinstance(by_name, Mapping) else {}
    outputs = int(config.num_labels)
    return plain_names(config.id2label, outputs) or plain_names(other, outputs)


def flags(config: Any) -> tuple[str, ...]:
    """Return what puts the numbers of a network in doubt.

    Args:
        config: Configuration of a network.
    """
    found = []
    if getattr(config, "problem_type", None) == "multi_label_classification":
        found.append("trained for several labels per image: the largest output is taken as the class")
    by_name, names = getattr(config, "label2id", None), config.id2label
    if isinstance(by_name, Mapping) and isinstance(names, Mapping) and len(by_name) == len(names):
        by_index = {index: name for name, index in by_name.items()}
        sides = [plain_names(each, len(names)) for each in (names, by_index)]
        if all(sides) and sides[0] != sides[1]:
            found.append("id2label and label2id of its configuration disagree: names are those of id2label")
    return tuple(found)
