"""Tables as LaTeX: as narrow as a page, in ASCII, with names that stay text; and tables with models as columns."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from board_entries import counted, measured
from robustbench_eff.cli.main import app
from robustbench_eff.leaderboards import terminal
from robustbench_eff.leaderboards.build_table import build_table
from robustbench_eff.leaderboards.columns import Layout, layout
from robustbench_eff.leaderboards.entry import Entry, Result
from robustbench_eff.leaderboards.latex import LONGEST, latex
from robustbench_eff.leaderboards.latex_layout import LAYOUTS, PAGE
from robustbench_eff.leaderboards.latex_text import tex, width
from robustbench_eff.leaderboards.published import entries, select
from robustbench_eff.leaderboards.table_formats import FORMATS, TRANSPOSED

NASTY = (
    r"<b>\input{x} & | _$%#~^{} *b* --x",
    "[first in its row]",
    "*starred",
    "Škoda–Őz λ=½ 10² ±×ε≥→",
    "模型 ResNet",
    "x" * 90,
    "a\nb\\\\",
    '`quoted\' "name"',
)
ENTRIES = [measured("good", 950, 600), measured("as good", 940, 590), measured("bad", 700, 100)]


def board(count: int, attacks: int, prefix: str = "rb_cifar10_linf_") -> list[Entry]:
    """Return models with a name of 40 characters and a number for every attack."""
    specs = [f"autoattack(eps={number}/255)" for number in range(1, attacks + 1)]
    return [
        Entry(
            model=f"{prefix}author{model}_wide_resnet_70_16",
            defense="adversarial_training" if model else "standard",
            measured=(counted(900 - model, 1000), *(counted(600 - model, 1000, text) for text in specs)),
        )
        for model in range(count)
    ]


def strictly_checked(text: str) -> list[list[list[str]]]:
    """Return the rows of every tabular, after checking what LaTeX would refuse."""
    assert text.isascii()
    bare = re.sub(r"\\[\\{}&%$#_]", "", "\n".join(line for line in text.split("\n") if not line.startswith("%")))
    assert not re.search(r"[%#]", bare)
    depth = 0
    for mark in bare:
        depth += (mark == "{") - (mark == "}")
        assert depth >= 0
    assert depth == 0 and bare.count("$") % 2 == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    tables = []
    for columns, body in re.findall(
        r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}(.*?)\\end\{(?:tabular|longtable)\}", text, re.S
    ):
        rows = [line[: -len(r" \\")] for line in body.split("\n") if line.endswith(r" \\") and "caption" not in line]
        cells = [re.split(r"(?<!\\)&", row) for row in rows]
        assert {len(row) for row in cells} == {len(columns)}
        assert not any(row.lstrip().startswith(("[", "*")) for row in rows)
        tables.append(cells)
    return tables


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "models",
    [
        [measured(name, 950 - 10 * place, 600, defense=name) for place, name in enumerate(NASTY)],
        board(104, 22),
        board(3, 1),
        ENTRIES[:1],
    ],
    ids=["nasty", "104 models, 22 attacks", "small", "one"],
)
def test_latex_is_well_formed_and_narrow(models: list[Entry], transposed: bool, tmp_path: Path) -> None:
    text = latex(build_table(models, layout("attacks")), transposed=transposed)
    tables = strictly_checked(text)
    assert len(tables) == text.count(r"\caption{") == text.count(r"\label{tab:attacks")
    for rows in tables:
        assert sum(_widest(row) for row in zip(*rows, strict=True)) <= PAGE.width
    if shutil.which("pdflatex") is not None:
        _compile(text, tmp_path)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("width", ["column", "two-columns"])
@pytest.mark.parametrize(
    "models", [board(1, 1), board(1, 9), board(30, 9), board(104, 3)], ids=["1", "1x9", "30x9", "104"]
)
def test_tables_fit_a_column_with_one_model_and_with_many(
    models: list[Entry], width: str, transposed: bool, tmp_path: Path
) -> None:
    place = LAYOUTS[width]
    text = latex(build_table(models, layout("attacks")), transposed=transposed, layout=place)
    tables = strictly_checked(text)
    assert "longtable" not in text, "which LaTeX refuses in two columns"
    assert text.count(rf"\begin{{{place.environment}}}[tbp]") == len(tables) == text.count(r"\caption{")
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == len(tables)
    for rows in tables:
        assert sum(map(_widest, zip(*rows, strict=True))) <= place.width
        assert sum(max(cell.count(r"\\") + 1 for cell in row) for row in rows) <= LONGEST + 8
    if shutil.which("pdflatex") is not None:
        _compile(text, tmp_path, "\\documentclass[twocolumn]{article}\\columnwidth=3.25in\\textwidth=6.75in")


def test_the_protocol_that_all_numbers_share_is_in_the_caption() -> None:
    board_of_one = build_table([Entry(model="m", measured=(counted(900, 1000),))], layout("attacks"))
    text = latex(board_of_one, layout=LAYOUTS["column"])
    (protocol,) = {str(protocol) for _, protocol in board_of_one.protocols}
    assert f"Measured: {protocol}." in text.replace(r"\allowbreak{}", "") and "$^{1}$" not in text
    assert "$^{1}$ measured" in latex(board_of_one)


def _widest(column: tuple[str, ...]) -> float:
    """Return a lower estimate of the width of a column in points, by its longest piece of plain text."""
    pieces = [
        re.sub(r"\\shortstack\[.\]|\\text\w+|\^|\$|[{}]", "", piece) for cell in column for piece in cell.split(r"\\")
    ]
    return max(3.2 * len(re.sub(r"_-[\d.]+|\\", "", piece).strip()) for piece in pieces)


def _compile(text: str, folder: Path, beginning: str = "\\documentclass{article}") -> None:
    head = f"{beginning}\\usepackage{{booktabs,longtable}}\\begin{{document}}\n"
    (folder / "table.tex").write_text(f"{head}{text}\\end{{document}}\n")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    log = (folder / "table.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    too_wide = re.findall(r"Overfull \\hbox.*\n.*", log)
    assert not too_wide and "Float too large" not in log, too_wide


def test_wide_tables_repeat_the_models_and_long_ones_break_across_pages() -> None:
    text = latex(build_table(board(60, 9), layout("attacks")))
    tables = strictly_checked(text)
    assert len(tables) > 1 and text.count(r"\begin{longtable}") == len(tables)
    assert all(
        row[1].strip() == "author0\\_wide\\_resnet\\_70\\_16" or "author0" in row[1] for row in (t[2] for t in tables)
    )
    assert "All names begin with rb\\_\\allowbreak{}cifar10\\_\\allowbreak{}linf\\_\\allowbreak{}author" not in text
    assert "All names begin with rb\\_\\allowbreak{}cifar10\\_\\allowbreak{}linf\\_\\allowbreak{}." in text
    assert sum(len(table[0]) - 2 for table in tables) == 10 + 1  # the defense stands in the first table only
    short = latex(build_table(board(LONGEST // 4, 1), layout("attacks")))
    assert "longtable}{" not in short and short.count(r"\begin{table}") == 1


def test_what_no_model_has_is_left_out_and_what_all_share_is_in_the_caption() -> None:
    nothing = Result(benchmark="digits", metric="robust_accuracy", perturbation="fgsm", value=None, protocol="test")
    models = [
        entry.model_copy(update={"defense": "trades", "measured": (*entry.measured, nothing)}) for entry in ENTRIES
    ]
    text = latex(build_table(models, layout("attacks")))
    assert "fgsm" not in text and "Defense of all models: trades." in text and "& trades" not in text
    partly = [*ENTRIES, Entry(model="other", measured=(counted(9, 10, "pgd(eps=1/255)"),))]
    (first, *_), last = strictly_checked(latex(build_table(partly, layout("attacks")))), "other"
    assert any(last in row[1] for row in first)


def test_only_a_separated_best_number_is_bold() -> None:
    far = [measured("good", 950, 900), measured("bad", 940, 100)]
    text = latex(build_table(far, layout("attacks")))
    assert (
        text.count(r"\textbf") == 1 and r"\textbf{90.00}$^{+" in text and "Bold: better than every other model" in text
    )
    close = latex(build_table(ENTRIES[:2], layout("attacks")))
    assert r"\textbf" not in close and "None is bold" in close
    assert r"\textbf" not in latex(build_table(ENTRIES[:1], layout("attacks")))
    assert "None is bold" not in latex(build_table(ENTRIES[:1], layout("attacks"))), "one model is not compared"
    exact = [Entry(model=str(value), published=(_exact(value),)) for value in (0.5, 0.6)]
    assert r"\textbf" not in latex(build_table(exact, layout("default")))


def test_parts_of_a_table_do_not_deny_the_bold_number_of_another_part() -> None:
    models = [measured(f"net{place}", 9990 - 300 * place, 10, n=10_000) for place in range(12)]
    text = latex(build_table(models, layout("attacks")), transposed=True)
    assert text.count(r"\caption") > 1 and text.count(r"\textbf") == 1 and "None is bold" not in text
    assert text.count("Raised and lowered: the distances to the ends of the 95\\% interval") == text.count(r"\caption")


def test_an_interval_beside_its_number_has_signed_distances() -> None:
    fields = {"benchmark": "b", "metric": "expected_calibration_error", "protocol": "p", "n": 100}
    error = Result(value=0.05, low=0.01, high=0.03, unit="fraction", higher_is_better=False, **fields)
    columns = Layout.parse("{title: T, columns: [{metric: expected_calibration_error}]}", "x")
    text = latex(build_table([Entry(model="m", measured=(error,))], columns))
    assert "5.00$^{-2.00}_{-4.00}$" in text


def test_a_model_without_any_value_keeps_its_line() -> None:
    empty = Result(benchmark="digits", metric="mean_confidence", value=None, protocol="test")
    columns = Layout.parse("{title: T, columns: [{metric: accuracy}, {metric: mean_confidence}]}", "x")
    table = build_table([*ENTRIES, Entry(model="alone", measured=(empty,))], columns)
    (rows,) = strictly_checked(latex(table))
    assert [row[1].strip() for row in rows[1:]] == ["good", "as good", "bad", "alone"]


def _exact(value: float) -> Result:
    return Result(benchmark="b", metric="accuracy", value=value, protocol="p")


def test_ends_of_an_interval_add_up_to_those_of_other_formats() -> None:
    table = build_table(ENTRIES, layout("attacks"))
    (low, high) = re.search(r"60\.00 \[([\d.]+), ([\d.]+)\]", FORMATS["md"](table).replace("*", "")).groups()
    plus, minus = re.search(r"60\.00}?\$\^{\+([\d.]+)}_{-([\d.]+)}", latex(table)).groups()
    assert (round(60 + float(plus), 2), round(60 - float(minus), 2)) == (float(high), float(low))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("é ü ñ ç Å ő š ø ß", r"\'{e} \"{u} \~{n} \c{c} \r{A} \H{o} \v{s} \o{} \ss{}"),
        ("±×ε≥→", r"$\pm$$\times$$\varepsilon$$\geq$$\rightarrow$"),
        ("10² x₁ ½ ﬁ ＡＢ", r"10\textsuperscript{2} x\textsubscript{1} 1/2 fi AB"),
        (
            "10⁻³ x₋₁ ᵝ",
            r"10\textsuperscript{$-$}\textsuperscript{3} x\textsubscript{$-$}\textsubscript{1} "
            r"\textsuperscript{$\beta$}",
        ),
        ("ϛ Ϡ ς Φ φ Λ", r"{[}U+03DB{]} {[}U+03E0{]} $\varsigma$ $\Phi$ $\varphi$ $\Lambda$"),
        ("模", "{[}U+6A21{]}"),
        ("Α Ω λ ό", r"A $\Omega$ $\lambda$ {[}U+03CC{]}"),
        ("a--b", "a-{}-{}b"),
        ("a\u202e\x00\tb", "a   b"),
    ],
)
def test_text_becomes_ascii_without_losing_a_character(text: str, wanted: str) -> None:
    assert tex(text) == wanted.replace("{]}", "{]}")


def test_widths_are_upper_estimates() -> None:
    assert width("0123456789") >= 5.0 and width("W") >= 1.03 and width("m") >= 0.83 and width("模") > 3


def test_every_format_can_have_the_models_as_columns() -> None:
    table = build_table(ENTRIES, layout("attacks"))
    assert set(TRANSPOSED) == set(FORMATS)
    lines = TRANSPOSED["md"](table).splitlines()
    assert lines[2] == "|  | good | as good | bad |" and lines[4] == "| rank | 1-2 | 1-2 | 3 |"
    assert lines[5].startswith("| clean %↑<sup>1</sup> | **95.00** [")
    page = TRANSPOSED["html"](table)
    assert '<th scope="col">good</th>' in page
    assert '<tr><th scope="row">rank</th><td>1-2</td><td>1-2</td><td>3</td></tr>' in page
    rows = list(csv.DictReader(io.StringIO(TRANSPOSED["csv"](table))))
    assert [row["perturbation"] for row in rows] == ["none"] * 3 + ["pgd(eps=8/255)"] * 3
    assert json.loads(TRANSPOSED["json"](table)) == json.loads(FORMATS["json"](table))
    file = io.StringIO()
    terminal.show(table, Console(file=file, width=100), transposed=True)
    assert re.search(r"rank +1-2 +1-2 +3\n", file.getvalue()) and "clean (1) %↑" in file.getvalue()


def test_the_command_has_an_option_for_it(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    words = ["leaderboard", "build", "--benchmark", "digits*", "--columns", "paper", "--transpose"]
    answer = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert answer.exit_code == 0 and "| rank |" in out.read_text()
    assert "defense" in CliRunner().invoke(app, [*words, "--model", "*sat"]).output


def test_robustbenchs_table_of_cifar10_fits_the_page(tmp_path: Path) -> None:
    table = build_table(entries(select(models=("rb_cifar10_linf_*",))), layout("robustbench-cifar10-linf"))
    text = latex(table)
    strictly_checked(text)
    assert r"71.28$^{+0.89}_{-0.90}$$\dagger${*}" in text
    if shutil.which("pdflatex") is not None:
        _compile(text, tmp_path)


def test_a_layout_without_any_value_still_gives_a_table() -> None:
    empty = Result(benchmark="digits", metric="accuracy", value=None, protocol="test")
    table = build_table(
        [Entry(model="m", measured=(empty,))], Layout.parse("{title: Ü, columns: [{metric: accuracy}]}", "x")
    )
    (rows,) = strictly_checked(latex(table))
    assert len(rows) == 2 and r"\"{U}" in latex(table)
