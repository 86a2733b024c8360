"""What the authors of a model say about it: names, paper, training data and licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from robustbench_eff.core.errors import EntryError


class About(BaseModel):
    """What the authors of a model say about it. Whatever is unknown is empty, and left out of files."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = ""
    """The model's name as its authors write it."""
    architecture: str = ""
    title: str = ""
    """Title of the paper."""
    authors: str = ""
    """Authors of the paper; or the first of them, and the year."""
    venue: str = ""
    """Where the paper was published."""
    link: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Address of the paper."""
    extra_data: bool | None = None
    """Whether the model was trained on more images than the training set of the benchmark; None if unknown."""
    licence: str = ""
    """Licence of the weights."""

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value not in ("", None)}

    def filled_from(self, other: About) -> About:
        """Return this with what it lacks taken from another one.

        Args:
            other: What others say about the same model.
        """
        return other.model_copy(update={name: value for name, value in self if value not in ("", None)})


def about_of(fields: Mapping[str, Any], named: Mapping[str, str], where: str) -> About:
    """Return what a file of another project says about a model.

    Args:
        fields: Values by the names of their fields here.
        named: Names that the fields have in the file, for messages.
        where: The file.

    Raises:
        EntryError: A value is not of its type, or the link is not an address.
    """
    try:
        return About(**fields)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        wanted = "an address that begins with http" if name == "link" else "true, false or null"
        raise EntryError(f"{where}: {named[name]} is {str(fields[name])[:100]!r}, expected {wanted}.") from error
