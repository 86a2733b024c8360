"""Entries for a site, some with texts that a page must not read as markup or as a path."""

from __future__ import annotations

from robustbench_eff.leaderboards.entry import Check, Entry, Kind, Result

SCRIPT = "<script>alert(1)</script>"
CLIMBING = "../../x"
BOLD = "<b onmouseover=alert(1)>"
AND = "R&D <img src=stolen.png onerror=alert(1)>"
PNG = b"\x89PNG\r\n\x1a\n"


def result(perturbation: str, value: float, **other: object) -> Result:
    metric = "accuracy" if perturbation == "none" or "severity" in perturbation else "robust_accuracy"
    values = {"benchmark": "digits", "metric": metric, "protocol": "all images", "n": 360} | other
    return Result(perturbation=perturbation, value=value, low=value - 0.02, high=value + 0.02, **values)


def entry(model: str, clean: float = 0.9, kind: Kind = "measured", **other: object) -> Entry:
    results = (
        result("none", clean, source="a table, line 3"),
        result("pgd(eps=4/255, steps=50)", clean - 0.3),
        result("pgd(eps=8/255, steps=50)", clean - 0.5, flags=("few steps",)),
        result("fog(severity=1)", clean - 0.1),
        result("fog(severity=2)", clean - 0.2),
        result("none", clean - 0.4, benchmark="cue-conflict", metric="shape_bias of cat"),
        result("none", clean - 0.2, benchmark="cue-conflict", metric="shape_bias of dog"),
    )
    return Entry(model=model, **{kind: results}, **other)


HOSTILE = (
    entry(SCRIPT, 0.95, family=BOLD, defense=SCRIPT),
    entry(CLIMBING, 0.8, checks=(Check(benchmark=SCRIPT, check="more steps", finding="suspect", evidence=BOLD),)),
    entry(AND, 0.7, family="AT&T", defense="two  spaces"),
    entry("__proto__", 0.6),
    entry("10", 0.5),
    Entry(model="labels", claimed=(result("none", 0.7, benchmark=BOLD, protocol=SCRIPT, source=BOLD),)),
)
