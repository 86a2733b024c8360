"""Requirement: a number that a gate asks for, `pgd(eps=1/255) >= 30 % for MODEL on BENCHMARK`, read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal, NamedTuple, cast

from robustbench_eff.core import spec
from robustbench_eff.core.errors import RobustEvalError, UsageError, misspelled
from robustbench_eff.core.metric import METRICS, Metric
from robustbench_eff.registry.metrics import find_metric, metric_of
from robustbench_eff.registry.perturbation import parse_perturbation
from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
from robustbench_eff.storage.stored_cell import CLEAN

Operator = Literal[">=", "<=", ">", "<"]
Compared = Literal["low", "value", "high"]
"""What is held against the threshold: an end of the 95 % interval, or the value itself."""
WORST_CASE = "worst_case"
"""Stands for robust accuracy under all attacks in a ball together, as the headline of a report."""
UNION_TEXT = "worst of "
"""How the perturbation of such a number begins in a report."""
FORM = "Write it as --require 'pgd(eps=1/255) >= 30 %', 'clean >= 0.9', 'mCE <= 80' or 'value(fgsm) > 0.5'."
MAX_LENGTH = 4000
PERCENT_FROM = 5
"""From here on a plain number is in percent where a metric has no upper bound, as mCE; below, it could be either."""
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`"}
_OPERATORS: dict[str, Operator] = {">=": ">=", "≥": ">=", "<=": "<=", "≤": "<=", ">": ">", "<": "<"}
_OTHER_OPERATORS = {"=>": "Write >= in its place.", "=<": "Write <= in its place."}
_OPERATOR = re.compile("[<>=!≥≤≠]+")
_THRESHOLD = re.compile(
    r"(?P<number>[-+−]?[\d.,]+(?:e[-+]?\d+)?(?:/[\d.,]+)?)\s*(?P<percent>%?)"
    r"(?:\s+for\s+(?P<model>.+?))?(?:\s+on\s+(?P<benchmark>.+))?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_CALL = re.compile(r"(?P<name>[^()]+)\((?P<inside>.*)\)", re.DOTALL)
_EXPONENT = 400
"""Powers of ten beyond which no float lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A number that must reach a threshold, for every model and benchmark that are not ruled out."""

    text: str
    """As the user wrote it, on one line."""
    perturbation: str | None
    """Text of the perturbation; None where only a metric is named."""
    metric: str | None
    """Name of the metric with its arguments; None for the accuracy under the perturbation."""
    compared: Compared
    operator: Operator
    threshold: float
    """A fraction or a number, as the unit of the metric says."""
    model: str | None = None
    """The only model it is about; None for every model."""
    benchmark: str | None = None
    """The only benchmark it is about; None for every benchmark."""

    @property
    def wants_more(self) -> bool:
        """Whether the number must be large."""
        return self.operator in (">=", ">")


class _Subject(NamedTuple):
    """The left side of a requirement."""

    perturbation: str | None
    metric: str | None
    compared: Compared | None


def parse_requirement(text: str) -> Requirement:
    """Return the requirement that a text states.

    Args:
        text: `WHAT OPERATOR NUMBER [for MODEL] [on BENCHMARK]`. WHAT is a perturbation (`clean`, `pgd(eps=1/255)`,
            `worst_case(norm=linf, eps=8/255)`), a metric (`mCE`), or `METRIC(PERTURBATION)`; within `value(...)` the
            value is compared, else the lower end of the 95 % interval by `>=` and `>`, the upper one by `<=` and `<`.
            NUMBER is a fraction (`0.3`, `1/3`) or a percentage (`30 %`), or a number where the metric is one.

    Raises:
        UsageError: The text does not have that form, or no value of the metric could meet or miss the threshold.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"A requirement of {len(text):,} characters is longer than {MAX_LENGTH:,}.", FORM)
    plain = _without_quotes(text)
    left, symbol, right = _at_operator(plain)
    form = _THRESHOLD.fullmatch(right.strip())
    if form is None:
        comma = " No number follows the operator." if not right.strip() else ""
        raise UsageError(f"Cannot read the threshold {right.strip()!r} of {plain!r}.{comma}", FORM)
    subject = _subject(left.strip(), plain)
    metric = metric_of(subject.metric or "accuracy")
    number = _number(form["number"].replace("−", "-"), plain)
    return Requirement(
        text=" ".join(plain.split()),
        perturbation=subject.perturbation,
        metric=subject.metric,
        compared=subject.compared or ("low" if symbol in (">=", ">") else "high"),
        operator=symbol,
        threshold=_threshold(number, bool(form["percent"]), metric, plain),
        model=form["model"] and form["model"].strip(),
        benchmark=form["benchmark"] and form["benchmark"].strip(),
    )


def canonical_text(perturbation: str) -> str:
    """Return the canonical text of a perturbation, in which its fields have one order and defaults are left out.

    Args:
        perturbation: Text of a perturbation, `clean`, or the name that a report gives to several perturbations.

    Raises:
        UsageError: The text names nothing, or a field has a wrong value.
    """
    return CLEAN if perturbation == "clean" else parse_perturbation(perturbation).text


def names_several(perturbation: str) -> bool:
    """Return whether a text is the name of several perturbations together, which no single one has.

    Args:
        perturbation: Text of a perturbation, or the name that a report gives to several.
    """
    return perturbation.startswith(UNION_TEXT) or perturbation in PERTURBATION_SETS


def check_subject(requirement: Requirement) -> None:
    """Refuse a requirement whose perturbation cannot exist; one of a stored number can lack its plugin or its file.

    Args:
        requirement: The requirement.

    Raises:
        UsageError: As for `canonical_text`.
    """
    text = requirement.perturbation
    if text is None or text.startswith(WORST_CASE) or names_several(text):
        return
    try:
        canonical_text(text)
    except RobustEvalError as error:
        raise UsageError(f"--require {requirement.text!r}: {error.message}", error.hint) from error


def _without_quotes(text: str) -> str:
    """The text without the quotation marks around it, which some shells leave there."""
    plain = text.strip()
    while len(plain) > 1 and _QUOTES.get(plain[0]) == plain[-1]:
        plain = plain[1:-1].strip()
    return plain


def _at_operator(text: str) -> tuple[str, Operator, str]:
    """What stands before, at and after the operator, which is the first one outside of all brackets."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and (found := _OPERATOR.match(text, position)):
            symbol = _OPERATORS.get(found[0])
            if symbol is None:
                hint = _OTHER_OPERATORS.get(found[0], "A requirement compares with >=, <=, > or <.")
                raise UsageError(f"{found[0]!r} in {text!r} is not an operator of a requirement.", hint)
            if not text[:position].strip():
                raise UsageError(f"{text!r} does not say what must be {symbol} the threshold.", FORM)
            return text[:position], symbol, text[found.end() :]
    brackets = " Its brackets do not match." if depth else ""
    hint = f"{FORM} Without quotation marks the shell takes > and < as the names of files follow them."
    raise UsageError(f"{text!r} does not state a threshold.{brackets}", hint)


def _subject(text: str, whole: str) -> _Subject:
    compared: Compared | None = None
    call = _CALL.fullmatch(text)
    if call and call["name"].strip() in ("value", "low", "high"):
        compared = cast("Compared", call["name"].strip())
        text = call["inside"].strip()
        call = _CALL.fullmatch(text)
    if not text:
        raise UsageError(f"{whole!r} does not say what must reach the threshold.", FORM)
    if call and find_metric(call["name"].strip()) is not None:
        return _Subject(_perturbation(call["inside"].strip()), call["name"].strip(), compared)
    if call is None and find_metric(text) is not None:
        return _Subject(None, text, compared)
    if close := misspelled(call["name"].strip() if call else text, METRICS):
        raise UsageError(f"{whole!r} names no metric.", f"Did you mean {close!r}?")
    return _Subject(_perturbation(text), None, compared)


def _perturbation(text: str) -> str:
    if re.match(rf"{WORST_CASE}\b", text):
        ball = spec.parse(text)
        if wrong := [name for name in ball.arguments if name not in ("norm", "eps")]:
            raise UsageError(f"{WORST_CASE} does not have a field {wrong[0]!r}.", "Fields: norm, eps.")
    return CLEAN if text == "clean" else text


def _number(text: str, whole: str) -> Fraction:
    if "," in text:
        hint = f"Write {text.replace(',', '.')} in its place." if text.count(",") == 1 else FORM
        raise UsageError(f"{whole!r}: {text} has a comma where a decimal point is expected.", hint)
    try:
        parts = [Decimal(part) for part in text.split("/")]
    except InvalidOperation as error:
        raise UsageError(f"{whole!r}: {text} is not a number.", FORM) from error
    if any(part and abs(part.adjusted()) > _EXPONENT for part in parts) or (len(parts) == 2 and not parts[1]):
        raise UsageError(f"{whole!r}: {text} is not a number that can be compared.", FORM)
    return Fraction(parts[0]) / (Fraction(parts[1]) if len(parts) == 2 else 1)


def _threshold(number: Fraction, is_percent: bool, metric: Metric, whole: str) -> float:
    """The threshold in the unit of the metric; refused where it is in another unit, or out of reach."""
    if metric.unit == "number":
        if is_percent:
            raise UsageError(f"{whole!r}: {metric.name} is a number, not a percentage.", "Leave out the %.")
    elif not is_percent and metric.high is None:
        if abs(number) < PERCENT_FROM:
            low, high = _plain(number), _plain(100 * number)
            hint = f"Write {low} % or {high} %."
            raise UsageError(f"{whole!r}: {metric.name} is published in percent, and {low} could be either.", hint)
        is_percent = True
    value = number / 100 if is_percent else number
    if (metric.low is not None and value < Fraction(metric.low)) or (
        metric.high is not None and value > Fraction(metric.high)
    ):
        ends = " to ".join("∞" if end is None else f"{end:g}" for end in (metric.low, metric.high))
        is_plain_percentage = metric.unit == "fraction" and not is_percent and 1 < number <= 100
        hint = f"Write {_plain(number)} % or {_plain(number / 100)}." if is_plain_percentage else FORM
        raise UsageError(f"{whole!r}: the threshold lies outside of {metric.name}, which is {ends}.", hint)
    return float(value)


def _plain(number: Fraction) -> str:
    return f"{float(number):.12g}"
