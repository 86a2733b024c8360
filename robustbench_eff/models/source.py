"""ModelSource: the contract of everything that can build models by name."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from robustbench_eff.core.errors import Missing

from .request import LoadedModule, ModelRequest


@runtime_checkable
class ModelSource(Protocol):
    """A library, folder or file format from which models are built by name.

    A source has no state: one object serves all requests. It is registered under a prefix in
    `robustbench_eff.registry.model_sources`, or by another package under an entry point named `vendor/name`, and a user
    then writes `PREFIX:TARGET`. `robustbench_eff.testing.MODEL_SOURCE_CHECKS` tests the contract.
    """

    def missing(self, target: str, request: ModelRequest) -> list[Missing]:
        """Return everything that prevents the model from being built, without building it.

        Args:
            target: Name of the model within this source, without the prefix.
            request: Name as the user wrote it, and all options.

        Raises:
            ModelError: The source does not know this target.
            MissingExtra: The source needs a package that is not installed.
        """

    def build(self, target: str, request: ModelRequest) -> LoadedModule:
        """Return the network with its weights, in eval mode and on the CPU, and how its images are preprocessed.

        Args:
            target: Name of the model within this source, without the prefix.
            request: Name as the user wrote it, and all options.

        Raises:
            ModelError: The target is unknown, or the network cannot be built or does not fit the weights.
        """

    def label_space(self, target: str, request: ModelRequest) -> str:
        """Return the expected label space, such as `imagenet` or `custom`, before anything is loaded.

        Args:
            target: Name of the model within this source, without the prefix.
            request: Name as the user wrote it, and all options.
        """
