"""The documentation names only what exists, lists everything that exists, and its examples run."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

import render_layouts
import render_reference
from robustbench_eff import Settings, TrainSettings, evaluate, load_classifier, testing
from robustbench_eff.attacks import PGD
from robustbench_eff.core import flags
from robustbench_eff.core.metric import METRICS, metric_of
from robustbench_eff.evaluation.recognise import ANOTHER_MODEL
from robustbench_eff.models.outputs import BOUNDED
from robustbench_eff.registry import build_adaptation, build_defense, build_styliser
from robustbench_eff.registry.adaptations import ADAPTATIONS
from robustbench_eff.registry.attacks import ATTACKS
from robustbench_eff.registry.benchmarks import BENCHMARKS, SCORED_WITH
from robustbench_eff.registry.corruptions import CORRUPTIONS
from robustbench_eff.registry.defenses import DEFENSES
from robustbench_eff.registry.perturbation import parse_attack, parse_perturbation
from robustbench_eff.registry.perturbation_sets import PERTURBATION_SETS
from robustbench_eff.registry.sequences import SEQUENCES
from robustbench_eff.registry.stylisers import STYLISERS
from robustbench_eff.registry.suites import SUITES
from robustbench_eff.scores.masking_checks import CHECKS
from robustbench_eff.scores.one_pixel import UNLIKE_THE_PAPER
from running import accuracies
from site_pages import api, pictures, tables
from small_models import USER_MODEL

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = {"notebooks", "reference"}
"""Folders of pages that the build writes."""
PAGES = {
    str(path.relative_to(ROOT)): path.read_text() for path in DOCS.rglob("*.md") if GENERATED.isdisjoint(path.parts)
}
FRONT = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")}
WRITTEN = PAGES | FRONT
"""Every page that is written by hand."""
OTHER_TOOLS = {"--nproc-per-node", "--multi_gpu", "--num_processes", "--no_python", "--cpu", "--signal"}
"""Options of torchrun, accelerate and timeout."""
EXAMPLES = {"NAME", "path/to", "acme"}
"""What stands for a name of the reader's own."""
LISTED: dict[str, Any] = {
    "attacks.md": ATTACKS.own,
    "corruptions.md": [*CORRUPTIONS.own, *SEQUENCES.own, *STYLISERS.own, *PERTURBATION_SETS],
    "defenses.md": DEFENSES.own,
    "benchmarks.md": [*BENCHMARKS.own, *SCORED_WITH],
    "suites.md": SUITES,
    "metrics.md": METRICS,
    "settings.md": [field.name for kind in (Settings, TrainSettings) for field in dataclasses.fields(kind)],
    "commands.md": [name for name, _ in tables.commands()],
}
"""What each reference page must name."""
FILE = re.compile(r"[a-z_][\w./-]*/[\w.-]+\.(py|md|yaml|json|sh)|[a-z_]+/")
"""A file with its folder, or a folder."""


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    return render_reference.pages(
        {f"{kind.folder}/{name}": "" for kind in render_reference.kinds() for name in kind.names}
    )


def first_column(document: str, header: str) -> list[str]:
    """The names in the first column of the table that begins with `header`."""
    table = (DOCS / document).read_text().split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)`", table, re.MULTILINE)


def command_options() -> dict[str, set[str]]:
    """The options of every command by the words that call it."""
    return {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in tables.commands()
    }


def floors() -> str:
    """The order of rooms that tests/test_architecture.py enforces."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text())
    values = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    ]
    return str(ast.literal_eval(values[0]))


def inline_code(pages: dict[str, str]) -> Iterator[str]:
    """What stands in backticks, outside of code blocks."""
    for text in pages.values():
        yield from re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


# --- Everything that exists is listed ---


@pytest.mark.parametrize("page", LISTED)
def test_a_reference_page_lists_all_of_its_kind(page: str, reference: dict[str, str]) -> None:
    assert [
        name for name in LISTED[page] if not re.search(rf"(`|## ){re.escape(name)}(?![a-z])", reference[page])
    ] == []


def test_every_option_of_every_command_has_a_line_and_a_meaning(reference: dict[str, str]) -> None:
    sections = dict(re.findall(r"^## (robust-eval.*?)\n(.*?)(?=^## |\Z)", reference["commands.md"], re.M | re.S))
    for name, options in command_options().items():
        for option in options - {"--help"}:
            if option.startswith("-"):
                assert re.search(rf"^\|.*`{option}`.*\| \S.* \|$", sections[name], re.MULTILINE), (name, option)


def test_every_public_name_is_on_an_api_page(reference: dict[str, str]) -> None:
    for module in api.API:
        page = reference[api.api_file(module)]
        for name in api.public_names(module):
            home = api.defined_in(module, name)
            assert f"::: {home}.{name}" in page or f"## {name}" in page, (module, name)
            assert hasattr(importlib.import_module(home or module), name)


def test_the_table_of_attacks_is_the_catalogs() -> None:
    assert sorted(first_column("attacks.md", "attack")) == sorted(ATTACKS.own)


def test_the_table_of_stylisers_is_the_catalogs() -> None:
    assert sorted(first_column("corruptions.md", "styliser")) == sorted(STYLISERS.own)


def test_the_table_of_adaptations_is_complete() -> None:
    assert sorted(first_column("models.md", "adaptation")) == sorted(ADAPTATIONS.own)


def test_the_table_of_suites_is_complete() -> None:
    assert sorted(first_column("suites.md", "suite")) == sorted(SUITES)


def test_the_table_of_defenses_is_the_catalogs_and_its_passes_are_right() -> None:
    assert sorted(first_column("training.md", "defense")) == sorted(DEFENSES.own)
    table = (DOCS / "training.md").read_text()
    for name, formula in re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", table, re.MULTILINE):
        stated = f"{name}(steps=3)" if "steps" in formula else name
        recipe = build_defense.defense(stated)
        numbers = {"steps": getattr(recipe, "steps", 0), "replays": getattr(recipe, "replays", 0)}
        terms = [term.split(" · ") for term in formula.split(" + ")]
        passes = sum(math.prod(float(numbers.get(factor, factor)) for factor in term) for term in terms)
        assert recipe.passes == pytest.approx(passes), name


def test_the_table_of_checks_is_complete() -> None:
    assert first_column("attacks.md", "check") == list(CHECKS)


def test_the_table_of_scores_has_every_metric_that_the_package_computes() -> None:
    table = (DOCS / "scores.md").read_text().split("| score |", 1)[1].split("\n\n", 1)[0]
    cells = [row.split(" | ")[0] for row in table.splitlines()[2:]]
    explained = [metric_of(name) for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert None not in explained
    assert {metric.name for metric in explained if metric} == {
        metric.name for metric in METRICS.values() if metric.section != "other"
    }


def test_every_flag_is_explained_with_what_to_do() -> None:
    page = PAGES["docs/is-my-number-right.md"]
    beginnings = (
        *(flags.MASKING_SUSPECTED, flags.UNRELIABLE, flags.AT_CHANCE, flags.FAILED, *flags.PARTIAL, flags.NOT_FINITE),
        *(
            BOUNDED,
            ANOTHER_MODEL,
            UNLIKE_THE_PAPER.partition(",")[0],
            "random_output",
            "left_threat_model",
            "not_finite",
        ),
        *("draws at random: ", "not identified, so never reused: ", "class names differ: ", "unknown distances: "),
        *("abstained: ", "no radius above", "random weights: ", "weights not checked: ", "left out"),
    )
    assert [text for text in beginnings if text.strip().partition(":")[0] not in page] == []
    assert all(name in page for name in CHECKS)


def test_every_kind_of_plugin_is_described() -> None:
    batteries = [name for name in vars(testing) if name.endswith("_CHECKS")]
    for page in ("docs/design.md", "docs/plugins.md"):
        names = {f"`{name}`" for name in (*(table.group for table in tables.registry_tables()), *batteries)}
        assert {name for name in names if name not in WRITTEN[page]} == set(), page


def test_the_floors_of_the_architecture_are_the_tested_ones() -> None:
    design = (DOCS / "design.md").read_text()
    assert floors() in " ".join(design.split())
    rooms = [room for floor in floors().split(" < ") for room in floor.split(", ")]
    assert re.findall(r"^\| `(\w+)/` \|", design, re.MULTILINE) == rooms
    drawn = re.findall(r'font-weight="600">(\w+)<', (DOCS / "architecture.svg").read_text())
    assert drawn == rooms


def test_a_picture_is_drawn_once_for_each_state_of_the_code(tmp_path: Path) -> None:
    drawn: list[str] = []

    def draw(name: str) -> pictures.Drawn | None:
        drawn.append(name)
        return None if name == "hidden" else pictures.Drawn(Image.new("RGB", (2, 2)), f"of {name}")

    def captions(sources: tuple[str, ...]) -> dict[str, str]:
        kind = pictures.Kind("kinds", ("shown", "hidden"), draw, lambda name, caption: "", sources, ".png")
        return pictures.captions([kind], tmp_path / "kept", tmp_path / "out")

    assert captions(("docs/decisions",)) == captions(("docs/decisions",)) == {"kinds/shown": "of shown"}
    assert (tmp_path / "out" / "kinds" / "shown.png").exists()
    assert captions(("attacks",)) == {"kinds/shown": "of shown"}
    assert drawn == ["shown", "hidden"] * 2
    assert len(list((tmp_path / "kept" / "kinds").iterdir())) == 1


# --- Everything that is named exists ---


def test_every_option_named_in_the_documentation_exists() -> None:
    known = set.union(*command_options().values()) | OTHER_TOOLS | {"--help"}
    for page, text in WRITTEN.items():
        code = re.findall(r"^.*robust-eval.*$|`--[^`]+`", text, re.MULTILINE)
        named = {option for line in code for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", line)}
        assert named - known == set(), page


def test_every_command_named_in_the_documentation_exists() -> None:
    commands = {name: set(getattr(command, "commands", {})) for name, command in tables.commands()}
    for page, text in WRITTEN.items():
        for first, second in re.findall(r"(?<![/\w.-])robust-eval ([a-z]+)(?: ([a-z]+))?(?![\w.=:-])", text):
            assert first in commands["robust-eval"], (page, first)
            children = commands[f"robust-eval {first}"]
            assert not children or not second or second in children, (page, first, second)


def test_every_spec_text_in_the_documentation_builds() -> None:
    programs = re.compile(
        r'^```python title=".*?^```$', re.MULTILINE | re.DOTALL
    )  # they run in tests/test_tutorials.py
    text = programs.sub("", "\n".join(WRITTEN.values()))
    found = set(re.findall(r"(?<![\w.:/])([a-z]\w*)\(([a-z]\w*=[^()…]*)\)", text))
    assert len(found) > 20
    for name, fields in found:
        spec = f"{name}({fields})"
        published = "constants" in fields and name not in CORRUPTIONS
        if name in ATTACKS or name in CORRUPTIONS or name in SEQUENCES or published or name == "smoothing":
            parse_perturbation(spec)
        elif name in DEFENSES:
            build_defense.defense(spec)
        elif name in ADAPTATIONS:
            build_adaptation.adaptation(spec)
        elif name in STYLISERS:
            build_styliser.styliser(spec)
        else:
            assert name in ("small_cnn", "evaluate", "load_classifier", "worst_case"), spec


def test_every_benchmark_named_in_the_documentation_exists() -> None:
    shaped = re.compile(r"(imagenet|imagenetv2|cifar10|cifar100|objectnet|stylized|cue|digits)(-[\w.]+)+")
    named = {code for code in inline_code(WRITTEN) if shaped.fullmatch(code)}
    assert len(named) > 20
    assert named - {*BENCHMARKS, *SCORED_WITH} == set()


def test_every_file_named_in_the_documentation_exists() -> None:
    bases = (ROOT, ROOT / "robustbench_eff", ROOT / "robustbench_eff" / "evaluation")
    for page, text in WRITTEN.items():
        for name in inline_code({page: text}):
            if not re.fullmatch(r"[a-z_][\w./-]*/[\w.-]+\.(py|md|yaml|json|sh)|[a-z_]+/", name) or any(
                example in name for example in EXAMPLES
            ):
                continue
            exists = any((base / name).exists() for base in bases)
            assert exists or _is_subfolder(name), (page, name)


def _is_subfolder(name: str) -> bool:
    return (
        any(path.is_dir() for path in (ROOT / "robustbench_eff").glob(f"*/{name}"))
        or (ROOT / "corruptions" / name).is_dir()
    )


def test_every_dotted_name_in_the_documentation_resolves() -> None:
    groups = set(re.findall(r"`(robustbench_eff\.\w+)` \|", WRITTEN["docs/plugins.md"]))
    for page, text in WRITTEN.items():
        for name in set(re.findall(r"\brobustbench_eff(?:\.\w+)+", text)) - groups:
            module, _, attribute = name.rpartition(".")
            if importlib.util.find_spec(module) is None or not hasattr(importlib.import_module(module), attribute):
                importlib.import_module(name)
            assert page


def test_links_of_the_front_pages_lead_somewhere() -> None:
    for page, text in FRONT.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), (page, target)


def test_the_table_of_layouts_is_that_of_the_readers() -> None:
    """`python scripts/render_layouts.py` writes it."""
    page = (DOCS / "data.md").read_text()
    assert page == render_layouts.rendered(page)
    assert page.count("\n| ") > 10


def test_every_page_is_reachable_from_the_navigation(reference: dict[str, str]) -> None:
    listed = set(_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    records = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", WRITTEN["docs/decisions/index.md"]))
    listed |= {f"decisions/{record}" for record in records}
    existing = {name.removeprefix("docs/") for name in PAGES}
    existing |= {f"notebooks/{path.stem}.md" for path in DOCS.glob("notebooks/*.ipynb")}
    components = {
        f"reference/{name}" for text in reference.values() for name in re.findall(r"\]\((\w+/[\w.-]+\.md)\)", text)
    }
    assert listed | components == existing | {f"reference/{name}" for name in reference}


def _pages(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for child in entry.values() if isinstance(entry, dict) else entry:
            yield from _pages(child)


def test_notebooks_are_kept_without_outputs_which_the_build_makes() -> None:
    for path in DOCS.glob("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None, path.name


# --- The examples run ---


def test_three_lines_attack_a_module_of_the_user() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 4))
    images, labels = torch.full((5, 3, 8, 8), 0.5), torch.zeros(5, dtype=torch.long)
    adversarial = PGD(eps=8 / 255)(module.eval(), images, labels)
    assert 0 < (adversarial - images).abs().max() <= 8 / 255 + 1e-6


def test_three_pixels_of_a_users_model_are_attacked_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text(USER_MODEL)
    model = load_classifier(f"{tmp_path}/my_model.py:build", input_size=32)
    attack = "one_pixel(pixels=3, population=20, generations=3)"
    assert parse_attack(attack)
    result = evaluate(model, benchmarks=["digits"], attacks=[attack], limit=20, store=tmp_path / "store")
    assert [score.metric for score in accuracies(result.scores)] == [
        "accuracy",
        "robust_accuracy",
        "robust_accuracy_8bit",
    ]
