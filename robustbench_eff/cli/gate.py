"""`--require`: the numbers that a run or a store must reach, the files and logs that tell of them, and exit code 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from robustbench_eff.core.errors import NotMet, UsageError
from robustbench_eff.core.result_file import refuse_to_overwrite

from .common import print_line

if TYPE_CHECKING:
    from robustbench_eff.evaluation.evaluate import Listener
    from robustbench_eff.evaluation.plan import Plan
    from robustbench_eff.reports.experiment_logs import Log
    from robustbench_eff.scores.gate import Judgement
    from robustbench_eff.scores.requirement import Requirement
    from robustbench_eff.scores.score import Score


class Gate(NamedTuple):
    """What is required of the numbers, and where to write it."""

    requirements: Sequence[Requirement] = ()
    accept_doubted: bool = False
    junit: Path | None = None
    summary: Path | None = None
    logs: Sequence[Log] = ()

    def judge(self, scores: Sequence[Score]) -> list[Judgement]:
        """Judge every requirement.

        Args:
            scores: All scores of the run or the store.

        Raises:
            UsageError: A requirement is about none of the scores.
        """
        if not self.requirements:
            return []
        from robustbench_eff.scores.gate import judged

        return judged(self.requirements, scores, accept_doubted=self.accept_doubted)

    def finish(self, scores: Sequence[Score], judgements: Sequence[Judgement], console: Console) -> None:
        """Print a line for each judgement, and write the files and logs that were asked for.

        Args:
            scores: All scores of the run or the store.
            judgements: The judgements.
            console: Where to print.

        Raises:
            UsageError: A file or a log cannot be written.
            NotMet: Not all are met.
        """
        if self == NO_GATE:
            return
        from robustbench_eff.reports import experiment_logs, junit, markdown_summary
        from robustbench_eff.reports.requirement_lines import requirement_lines

        for line in requirement_lines(judgements):
            print_line(console, line)
        if self.junit is not None:
            junit.write_junit(judgements, self.junit)
        if self.summary is not None:
            markdown_summary.write_summary(scores, judgements, self.summary)
        experiment_logs.write_logs(self.logs, scores)
        if unmet := sum(not item.is_met for item in judgements):
            raise NotMet(f"{unmet} of {len(judgements)} numbers do not meet what is required of them.")


NO_GATE = Gate()


class GateListener:
    """Passes on what it hears of a run, and refuses a run that does not measure what is required."""

    def __init__(self, listener: Listener, gate: Gate) -> None:
        """Listen.

        Args:
            listener: Who hears everything.
            gate: What is required.
        """
        self._gate = gate
        self._listener = listener
        self.preparing, self.progressed, self.ended = listener.preparing, listener.progressed, listener.ended

    def planned(self, plan: Plan) -> None:
        """Compare the plan with what is required.

        Args:
            plan: The cells of the run.

        Raises:
            UsageError: The run would not measure it.
        """
        from robustbench_eff.scores.requirement_rows import check_planned

        for requirement in self._gate.requirements:
            check_planned(requirement, [planned.cell for planned in plan.cells])
        self._listener.planned(plan)


def parse_gate(options: Mapping[str, Any], others: Sequence[Path | str | None]) -> Gate:
    """Return what the options require.

    Args:
        options: Values of the options by parameter name.
        others: Files and folders that the command reads or writes.

    Raises:
        UsageError: A requirement cannot be read, its perturbation cannot exist, or a file would overwrite another or
            lie in a folder that does not exist.
    """
    texts, junit, summary = options["require"] or (), options["junit"], options["summary"]
    if junit is not None and not texts:
        raise UsageError("--junit writes what became of each --require, and there is none.", "Add --require.")
    if options["accept_doubted"] and not texts:
        raise UsageError("--accept-doubted applies to --require, and there is none.", "Add --require.")
    if texts and options.get("skip_missing"):
        hint = "Leave out one of the two, and name what is there with --benchmark and --attack."
        raise UsageError("--require with --skip-missing would hold where nothing was measured.", hint)
    for out, written in ((junit, [*others, summary]), (summary, [*others, junit])):
        refuse_to_overwrite(out, written)
        if out is not None and not out.parent.is_dir():
            raise UsageError(f"{out} cannot be written: {out.parent} is not a folder.", "Create the folder first.")
    if not texts and summary is None and not options["log"]:
        return NO_GATE
    from robustbench_eff.reports.experiment_logs import parse_log
    from robustbench_eff.scores.requirement import check_subject, parse_requirement

    logs = [parse_log(text, [*others, junit, summary]) for text in options["log"] or ()]
    requirements = [parse_requirement(text) for text in texts]
    if "model" in options:  # the perturbation is about to run, so it exists
        for requirement in requirements:
            check_subject(requirement)
    return Gate(list(dict.fromkeys(requirements)), options["accept_doubted"], junit, summary, logs)
