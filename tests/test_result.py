"""What `evaluate` returns, as people print it, show it in a notebook and read it into pandas."""

from __future__ import annotations

import builtins
import math
from html.parser import HTMLParser
from typing import Any

import pytest

from robustbench_eff.core.errors import MissingExtra
from robustbench_eff.core.protocol import Protocol
from robustbench_eff.evaluation.result import Result
from robustbench_eff.scores.score import Ball, Score

HOSTILE = '</table><script>alert(1)</script> & "\x1b[31m\n|'


def score(perturbation: str = "none", value: float | None = 0.5, **fields: Any) -> Score:
    given: dict[str, Any] = {"model": "m", "benchmark": "b", "metric": "accuracy", "low": 0.4, "high": 0.6, "n": 10}
    return Score(perturbation=perturbation, value=value, protocol=Protocol(description="p"), **given | fields)


def result(*scores: Score) -> Result:
    return Result(list(scores), "runs/x", [], [], (), [])


UNION = score("worst of a, b, linf 1/255", 0.3, metric="robust_accuracy", kind="several", ball=Ball("linf", 1 / 255))
FAILED = score("pgd", None, low=None, high=None, metric="robust_accuracy", kind="attack", flags=("failed: why",))
CALIBRATION = score("none", 0.1, metric="expected_calibration_error")


def test_a_result_prints_as_a_table_with_its_flags() -> None:
    head, clean, union, failed, more, flag = str(result(FAILED, CALIBRATION, UNION, score())).splitlines()
    assert head.split() == ["model", "benchmark", "images", "in", "%,", "with", "95", "%", "interval", "n"]
    assert clean.split() == ["m", "b", "clean", "50.00", "[40.0,", "60.0]", "10"]
    assert "worst of a, b, linf 1/255" in union and len(head) == len(clean) == len(union)
    assert failed.split() == ["m", "b", "pgd", "-", "*", "10"] and flag == "* m, b, pgd: failed: why."
    assert more == "1 more in .scores and .to_dataframe()"
    assert repr(result(UNION, score(model="n"))) == "<Result: 2 scores of 2 models, in 'runs/x'>"


def test_a_result_without_scores_prints() -> None:
    assert str(result()).split()[0] == "model"
    assert result()._repr_html_().count("<tr>") == 1
    assert result().to_dataframe().dtypes["value"] == "float64"


def test_names_are_text_in_a_notebook_and_on_the_terminal() -> None:
    shown = result(score(model=HOSTILE, benchmark=HOSTILE, flags=(HOSTILE,)), UNION)
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Tags().feed(shown._repr_html_())
    assert set(tags) == {"table", "thead", "tbody", "tr", "th", "td", "div"} and tags.count("table") == 1
    assert "\x1b" not in str(shown) + shown._repr_html_()
    assert 'style="font-weight: bold"' in shown._repr_html_()


def test_a_long_result_is_cut_and_says_so() -> None:
    lines = str(result(*(score(model=f"m{number}") for number in range(100)))).splitlines()
    assert (len(lines), lines[-1]) == (42, "60 more in .scores and .to_dataframe()")


def test_a_data_frame_has_every_score_unrounded() -> None:
    distance = score("fmn", math.inf, metric="median_distance_linf", high=math.inf, searched_to=0.1, kind="attack")
    frame = result(score(value=1 / 3), UNION, FAILED, distance).to_dataframe()
    assert (
        frame["value"].tolist()[:2] == [1 / 3, 0.3] and math.isnan(frame["value"][2]) and frame["value"][3] == math.inf
    )
    assert frame["headline"].tolist() == [False, True, False, False]
    assert (frame["norm"][1], frame["eps"][1], frame["flags"][2]) == ("linf", 1 / 255, "failed: why")
    assert frame[frame.metric == "robust_accuracy"].groupby("model")["value"].min().to_dict() == {"m": 0.3}
    assert {"unit", "higher_is_better", "protocol", "n", "low", "high", "kind", "detail"} < set(frame.columns)


def test_without_pandas_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pandas(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(MissingExtra, match=r"pandas is not installed.\n.*robustbench-eff\[pandas\]"):
        result(score()).to_dataframe()
