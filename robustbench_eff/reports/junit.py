"""Requirements as JUnit XML, which CI servers show as tests."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from robustbench_eff.core.result_file import write_result
from robustbench_eff.core.visible_text import visible
from robustbench_eff.scores.gate import Judgement

from .requirement_lines import outcome, row_names

SUITE = "robust-eval"
_NOT_XML = re.compile("[\ufffe\uffff]")
"""What XML 1.0 forbids besides the characters that `visible` writes out."""


def junit_xml(judgements: Sequence[Judgement]) -> bytes:
    """Return a document with a test case for each judgement, which fails where the requirement is not met.

    The classes of the test cases are named for model and benchmark. A failure whose type is `unknown` stands for a
    number that does not exist or does not count. Characters that XML forbids are written as their numbers.

    Args:
        judgements: The judgements.
    """
    counts = {
        "tests": str(len(judgements)),
        "failures": str(sum(not item.is_met for item in judgements)),
        "errors": "0",
    }
    root = ET.Element("testsuites", {"name": SUITE, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": SUITE, **counts, "skipped": "0"})
    for item, name in zip(judgements, row_names(judgements), strict=True):
        subject = f"{item.score.model} on {item.score.benchmark}"
        title = f"{item.requirement.text}: {name.removeprefix(subject).lstrip(', ')}"
        names = {"classname": _text(subject), "name": _text(title)}
        case = ET.SubElement(suite, "testcase", names)
        if not item.is_met:
            kind = {"type": "unknown" if item.why_not else "not met", "message": _text(outcome(item))}
            ET.SubElement(case, "failure", kind).text = _text(f"{item.requirement.text}\n{name}\n{outcome(item)}")
        else:
            ET.SubElement(case, "system-out").text = _text(outcome(item))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def write_junit(judgements: Sequence[Judgement], path: Path) -> None:
    """Write the document to a file.

    Args:
        judgements: The judgements.
        path: The file; one that exists is replaced.

    Raises:
        UsageError: The file cannot be written.
    """
    write_result(path, junit_xml(judgements))


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda match: match[0].encode("unicode_escape").decode(), visible(text))
