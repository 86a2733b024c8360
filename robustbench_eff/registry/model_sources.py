"""The table of model sources."""

from __future__ import annotations

from collections.abc import Mapping

from .table import Row, Table

PUBLISHED = "published"
"""Source of all aliases whose weights no library downloads."""

MODEL_SOURCES = Table(
    "model source",
    "robustbench_eff.model_sources",
    {
        "exported": Row(
            "robustbench_eff.models.sources.program_files:EXPORTED_FILES",
            "a program of torch.export: exported:FILE.pt2",
        ),
        "hf": Row(
            "robustbench_eff.models.sources.hugging_face:HUGGING_FACE_MODELS",
            "image classifiers of transformers: hf:ORG/NAME[@REVISION] of the hub, hf:./FOLDER",
        ),
        "onnx": Row("robustbench_eff.models.sources.onnx_files:ONNX_FILES", "a black box in ONNX: onnx:FILE"),
        "checkpoint": Row(
            "robustbench_eff.models.sources.checkpoint_files:CHECKPOINT_FILES",
            "published checkpoints that are downloaded from their addresses, by alias: checkpoint:ALIAS",
        ),
        "ensemble": Row("robustbench_eff.registry.ensembles:ENSEMBLES", "the mean of several models: ensemble:A+B"),
        "open_clip": Row(
            "robustbench_eff.models.sources.open_clip_models:OPEN_CLIP",
            "CLIP with a zero-shot head: open_clip:ARCH/TAG, open_clip:hf-hub:ORG/NAME",
        ),
        PUBLISHED: Row(
            "robustbench_eff.models.sources.published_checkpoints:PUBLISHED_CHECKPOINTS",
            "published checkpoints that must be downloaded by hand, by alias",
        ),
        "robustbench": Row(
            "robustbench_eff.models.sources.robustbench_models:ROBUSTBENCH",
            "models of RobustBench with its published weights: robustbench:NAME",
        ),
        "shipped": Row(
            "robustbench_eff.models.sources.shipped:SHIPPED", "digits classifiers that are installed with the package"
        ),
        "tflite": Row(
            "robustbench_eff.models.sources.tflite_files:TFLITE_FILES", "a black box of TensorFlow Lite: tflite:FILE"
        ),
        "timm": Row(
            "robustbench_eff.models.sources.timm_models:TIMM", "any model of timm: timm:NAME, timm:hf-hub:ORG/NAME"
        ),
        "torchscript": Row(
            "robustbench_eff.models.sources.program_files:TORCHSCRIPT_FILES", "a TorchScript program: torchscript:FILE"
        ),
        "torchvision": Row(
            "robustbench_eff.models.sources.torchvision_models:TORCHVISION",
            "any classifier of torchvision: torchvision:NAME",
        ),
    },
    needs=("missing", "build", "label_space"),
)
"""Sources by the prefix of their names; a plugin named `vendor/name` is used as `vendor/name:TARGET`."""

FORMS = (
    "timm:NAME, torchvision:NAME, open_clip:ARCH/TAG, hf:ORG/NAME, robustbench:NAME, ensemble:A+B, onnx:FILE, "
    "tflite:FILE, torchscript:FILE, exported:FILE, package.module:factory, path/to/file.py:factory, or the folder of a "
    "training"
)
"""How a model is named, besides an alias, for help and messages."""

TRAINED, USER = "trained", "user"
UNPREFIXED_SOURCES: Mapping[str, Row] = {
    TRAINED: Row("robustbench_eff.models.sources.trained:TRAINED", "the folder of a training"),
    USER: Row(
        "robustbench_eff.models.sources.user_module:USER_MODULES", "path/to/file.py:factory or package.module:factory"
    ),
}
"""Sources whose names have no prefix, because a module of the user may have any name."""
