"""Result: what `evaluate` returns, as a table, as HTML, and as a data frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustbench_eff.core.errors import EvaluationError, Missing
from robustbench_eff.scores import overview
from robustbench_eff.scores.data_frame import data_frame
from robustbench_eff.scores.masking_checks import Verdict
from robustbench_eff.scores.score import Score

from .failures import FailedCell

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The result of `evaluate`, which prints as a table and shows as one in a notebook."""

    scores: list[Score]
    store: str
    """Folder or URL of the outcomes."""
    missing: list[Missing]
    """What was skipped, with `skip_missing`."""
    verdicts: list[Verdict]
    """Findings of the gradient-masking checks for the models of this run."""
    other_seeds: tuple[int, ...]
    """Seeds for which the store holds the same evaluations, in cells of their own."""
    failed: list[FailedCell]
    """Evaluations without a number, and why; their rows among the scores bear the reason as a flag."""

    def to_dataframe(self) -> DataFrame:
        """Return the scores as a data frame of pandas, one row for each; see `data_frame`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return data_frame(self.scores)

    def __str__(self) -> str:
        return overview.as_text(self.scores)

    def __repr__(self) -> str:
        models = len({score.model for score in self.scores})
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"<Result: {len(self.scores)} scores of {models} models{failed}, in {self.store!r}>"

    def _repr_html_(self) -> str:
        """Return the table as HTML, which notebooks show."""
        return overview.as_html(self.scores)

    def check(self) -> None:
        """Raise EvaluationError if an evaluation failed; for callers that need all numbers."""
        if self.failed:
            count, first = len(self.failed), self.failed[0].error
            message = f"{count} evaluation{'s' if count > 1 else ''} failed. The first: {first.message}"
            raise EvaluationError(message, first.hint)
