"""`hf:ORG/NAME[@REVISION]` or `hf:./FOLDER`: an image classifier of transformers, with its own image processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from robustbench_eff.core.errors import Missing, ModelError, in_one_line
from robustbench_eff.core.preprocessing import Preprocessing
from robustbench_eff.system import hub_downloads, network
from robustbench_eff.system.hub_downloads import Repository

from .. import transformers_networks as networks
from ..image_processors import OPTIONS, ReadProcessor, read_processor
from ..request import WITH_BACKGROUND, LoadedModule, ModelRequest, label_space_of, source_text
from ..shards import END
from ..transformers_networks import CONFIG, PROCESSORS, Description, Network
from .user_module import plain_preprocessing

PREFIX = "hf:"
SAFE, PICKLED = ("model.safetensors", f"model{END}"), "pytorch_model.bin"
"""Files of weights, in order of preference."""
_FIRST = (CONFIG, *PROCESSORS, "*.py", *SAFE, "model-*-of-*.safetensors")


class Adapted(nn.Module):
    """A network of transformers that takes and returns what others do."""

    def __init__(self, network: nn.Module, *, reverses_channels: bool, first: int) -> None:
        """Wrap a network.

        Args:
            network: Returns an object with `logits`.
            reverses_channels: Whether it takes blue, green, red.
            first: Number of outputs to leave out, which come before the classes.
        """
        super().__init__()
        self.network = network
        self.reverses_channels = reverses_channels
        self.first = first

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (batch, classes).

        Args:
            images: Normalized images, red first, shape (batch, channels, height, width).
        """
        logits: Tensor = self.network(images.flip(1) if self.reverses_channels else images).logits
        return logits[:, self.first :]


@dataclass(frozen=True, slots=True)
class HuggingFaceModels:
    """Image classifiers of transformers. See `ModelSource`."""

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return what the folder lacks, or why the hub does not give the files. See `ModelSource`.

        Args:
            target: `ORG/NAME`, `ORG/NAME@REVISION`, or a folder: `./FOLDER`, `/FOLDER` or `~/FOLDER`.
            request: The user's options.
        """
        networks.library()
        absent = request.missing_weights_file()
        if (folder := _folder(target)) is None:
            repository = hub_downloads.parse_repository(target, PREFIX, ModelError)
            how = f"--model hf:./FOLDER with what `hf download {repository.id}` wrote"
            return absent + hub_downloads.missing(repository, (CONFIG,), f"files of {request.name}", how, option="")
        if not (folder / CONFIG).is_file():
            where = "in a folder that save_pretrained wrote"
            absent.append(Missing(str(folder / CONFIG), where, "--model hf:./FOLDER", option=""))
        return absent

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network in float32, with what its image processor does as preprocessing. See `ModelSource`.

        Args:
            target: `ORG/NAME`, `ORG/NAME@REVISION`, or a folder: `./FOLDER`, `/FOLDER` or `~/FOLDER`.
            request: The user's options.
        """
        networks.library()
        local, repository = _folder(target), None
        if local is None:
            repository = hub_downloads.parse_repository(target, PREFIX, ModelError)
            local = hub_downloads.snapshot(repository, _FIRST, ModelError)
        name = local.resolve().name if repository is None else repository.id
        with networks.quiet():
            description = networks.describe(local, name, request)
            weights = _weights(local, repository, description, request)
            built = networks.build(local, weights, description, request)
            read = _preprocessing(local, built, description, request)
        module, names, notes = built.module, networks.class_names(built.config), built.notes
        outputs = int(built.config.num_labels)
        first = int(outputs == WITH_BACKGROUND and str(built.config.id2label.get(0)).lower() == "background")
        if first or read.reverses_channels:
            module = Adapted(module, reverses_channels=read.reverses_channels, first=first).eval()
            notes = (*notes, *(["its first output, background, is left out"] if first else []))
        arguments = dict(request.model_args)
        if request.num_classes is not None:
            arguments["num_classes"] = request.num_classes
        return LoadedModule(
            module=module,
            preprocessing=_adapted(read.preprocessing, request),
            source=source_text("hf", name if repository is None else f"{name}@{local.name}", arguments),
            label_space=label_space_of(outputs - first),
            class_names=names[first:],
            notes=notes,
            flags=networks.flags(built.config),
        )

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return what the number of classes in the configuration suggests. See `ModelSource`.

        Args:
            target: `ORG/NAME`, `ORG/NAME@REVISION`, or a folder: `./FOLDER`, `/FOLDER` or `~/FOLDER`.
            request: The user's options.
        """
        if request.num_classes is not None or self.missing(target, request):
            return request.label_space("imagenet")
        if (folder := _folder(target)) is None:
            repository = hub_downloads.parse_repository(target, PREFIX, ModelError)
            folder = hub_downloads.snapshot(repository, (CONFIG, *PROCESSORS), ModelError)
        outputs = networks.describe(folder, target, request).num_classes
        return label_space_of(outputs - (outputs == WITH_BACKGROUND))


HUGGING_FACE_MODELS = HuggingFaceModels()


def _folder(target: str) -> Path | None:
    """The folder that a target names; None for a repository of the hub."""
    path = Path(target).expanduser()
    if target.startswith((".", "/", "~")):
        return path
    if not (path / CONFIG).is_file():
        return None
    if target.count("/") == 1:
        raise ModelError(
            f"{PREFIX}{target} may be the folder here or the model of the hub.",
            f"Write {PREFIX}./{target} for the folder, {PREFIX}{target}@main for the hub.",
        )
    return path


def _weights(folder: Path, repository: Repository | None, described: Description, request: ModelRequest) -> Path | None:
    """The file of weights; None for random ones."""
    if request.weights is not None:
        return request.weights
    for name in SAFE:
        if (folder / name).is_file():
            return folder / name
    if repository is not None:
        pinned = repository._replace(revision=folder.name)
        folder = hub_downloads.snapshot(pinned, (PICKLED,), ModelError)
    if (folder / PICKLED).is_file():
        return folder / PICKLED
    if request.random_weights:
        return None
    if repository is not None and (variable := network.offline()):
        raise ModelError(
            f"The weights of {described.name} are not in the cache, and {variable} is set.",
            f"Unset it, or download them where there is a network: hf download {described.name}",
        )
    raise ModelError(
        f"{described.name} has no weights that are read: {', '.join(SAFE)} or {PICKLED}.",
        "Weights of TensorFlow, Flax, GGUF and ONNX are not. An adapter must be merged into its network.",
    )


def _preprocessing(folder: Path, built: Network, described: Description, request: ModelRequest) -> ReadProcessor:
    if None not in (request.input_size, request.geometry, request.mean):
        return ReadProcessor(plain_preprocessing(request), reverses_channels=False)
    if not any((folder / name).is_file() for name in PROCESSORS):
        raise ModelError(f"{described.name} does not say how images are prepared: no {PROCESSORS[0]}.", OPTIONS)
    try:
        processor: Any = networks.library().AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=described.runs_code
        )
    except Exception as error:
        why = f"The image processor of {described.name} cannot be built: {in_one_line(error)}"
        raise ModelError(why, OPTIONS) from error
    size = getattr(built.config, "image_size", None)
    size = tuple(size) if isinstance(size, list) else size
    channels = 1 if getattr(built.config, "num_channels", 3) == 1 else 3
    return read_processor(processor, size, channels, described.name)


def _adapted(preprocessing: Preprocessing, request: ModelRequest) -> Preprocessing:
    geometry = preprocessing.geometry
    return request.adapt(preprocessing, geometry.shape[0] / geometry.covered[0])
