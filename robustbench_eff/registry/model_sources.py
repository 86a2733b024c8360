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
        "checkpoint": Row(
            "robustbench_eff.models.sources.checkpoint_files:CHECKPOINT_FILES",
            "published checkpoints that are downloaded from their addresses, by alias: checkpoint:ALIAS",
        ),
        "ensemble": Row("robustbench_eff.registry.ensembles:ENSEMBLES", "the mean of several models: ensemble:A+B"),
        "open_clip": Row(
            "robustbench_eff.models.sources.open_clip_models:OPEN_CLIP",
            "CLIP with a zero-shot head: open_clip:ARCH/TAG",
        ),
        PUBLISHED: Row(
            "robustbench_eff.models.sources.published_checkpoints:PUBLISHED_CHECKPOINTS",
            "published checkpoints that must be downloaded by hand, by alias",
        ),
        "shipped": Row(
            "robustbench_eff.models.sources.shipped:SHIPPED", "digits classifiers that are installed with the package"
        ),
        "timm": Row("robustbench_eff.models.sources.timm_models:TIMM", "any model of timm: timm:NAME"),
        "torchvision": Row(
            "robustbench_eff.models.sources.torchvision_models:TORCHVISION",
            "any classifier of torchvision: torchvision:NAME",
        ),
    },
    needs=("missing", "build", "label_space"),
)
"""Sources by the prefix of their names; a plugin named `vendor/name` is used as `vendor/name:TARGET`."""

TRAINED, USER = "trained", "user"
UNPREFIXED_SOURCES: Mapping[str, Row] = {
    TRAINED: Row("robustbench_eff.models.sources.trained:TRAINED", "the folder of a training"),
    USER: Row(
        "robustbench_eff.models.sources.user_module:USER_MODULES", "path/to/file.py:factory or package.module:factory"
    ),
}
"""Sources whose names have no prefix, because a module of the user may have any name."""
