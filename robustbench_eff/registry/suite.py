"""A suite: a named list of benchmark x perturbation, in YAML."""

from __future__ import annotations

from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustbench_eff.core.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """These perturbations on these benchmarks; `any` stands for every other benchmark."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmarks: tuple[str, ...] = Field(min_length=1)
    perturbations: tuple[str, ...] = Field(min_length=1)


class Suite(BaseModel):
    """What a run consists of, before a model is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    parts: tuple[Part, ...] = Field(min_length=1)

    @classmethod
    def parse(cls, text: str, name: str) -> Suite:
        """Read YAML; UsageError that names the field in question."""
        return read_yaml(cls, text, f"Suite {name}", "See docs/suites.md for the form.")

    def perturbations(self, benchmark: str) -> tuple[str, ...]:
        """What to run on a benchmark: all parts that name it, else those for `any`, else nothing."""
        for wanted in (benchmark, "any"):
            if named := [part for part in self.parts if wanted in part.benchmarks]:
                return tuple(dict.fromkeys(text for part in named for text in part.perturbations))
        return ()

    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark that is named, `any` left out."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.benchmarks if name != "any"))


def read_yaml(model: type[Model], text: str, name: str, hint: str) -> Model:
    """YAML as a model; UsageError that names the field in question."""
    try:
        return model.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UsageError(f"{name} is not YAML: {error}") from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(str(step) for step in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise UsageError(f"{name}: {places}.", hint) from error
