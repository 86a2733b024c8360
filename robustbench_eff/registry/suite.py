"""Suite: a list of perturbations for each of several benchmarks, in YAML."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import parse_yaml

Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """Perturbations that are run on each of some benchmarks; `any` stands for every other benchmark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmarks: tuple[str, ...] = Field(min_length=1)
    perturbations: tuple[str, ...] = Field(min_length=1)


class Suite(BaseModel):
    """The benchmarks and perturbations of a run, without its models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    parts: tuple[Part, ...] = Field(min_length=1)

    @classmethod
    def parse(cls, text: str, name: str) -> Suite:
        """Return the suite that a YAML text describes.

        Args:
            text: The content of the file.
            name: Name of the suite, for error messages.

        Raises:
            UsageError: The text is not YAML, or a field is unknown, missing or wrong; the message names the field.
        """
        return read_yaml(cls, text, f"Suite {name}", "See docs/suites.md for the form.")

    def perturbations(self, benchmark: str) -> tuple[str, ...]:
        """Return the perturbations for a benchmark: those of the parts that name it, else those for `any`.

        Args:
            benchmark: Name of the benchmark.
        """
        named = [part for part in self.parts if benchmark in part.benchmarks]
        parts = named or [part for part in self.parts if "any" in part.benchmarks]
        return tuple(dict.fromkeys(text for part in parts for text in part.perturbations))

    def benchmarks(self) -> tuple[str, ...]:
        """Return every benchmark that the suite names, without `any`."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.benchmarks if name != "any"))


MAPPING = "Input should be a mapping of fields to values"


def read_yaml(model: type[Model], text: str, name: str, hint: str) -> Model:
    """Return the pydantic model that a YAML text describes.

    Args:
        model: Class of the model.
        text: The content of the file.
        name: Name of the file or suite, for error messages.
        hint: Next step, for error messages.

    Raises:
        UsageError: The text is not YAML, or a field is unknown, missing or wrong; the message names the field.
    """
    try:
        return model.model_validate(parse_yaml(text, name, UsageError, hint))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in problem['loc']) or 'the file'}: "
            f"{MAPPING if problem['type'] == 'model_type' else problem['msg']}"
            for problem in error.errors()
        )
        raise UsageError(f"{name}: {problems}.", hint) from error
