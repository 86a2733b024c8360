"""Who may import whom: the ground floor nothing above it, a wing no other wing, the harness no wing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "robustbench_eff"
NETWORK_USERS = {"zoo", "benchmarks", "doctor", "hub"}
GROUND = {
    "activations",
    "batching",
    "disk",
    "errors",
    "types",
    "rng",
    "threat",
    "spec",
    "outcomes",
    "precision",
    "preprocessing",
}
WINGS = {"attacks", "corruptions", "defenses", "leaderboards"}
COMPOSERS = {"api", "cli", "catalog", "testing", "__init__"}
"""May import wings: they turn names into objects."""
CATALOG_USERS = {"api", "cli", "doctor"}
PRINTERS = {"cli", "report"}
HOME_OF = {
    "foolbox": {"attacks/foolbox_adapter.py"},
    "numba": {f"corruptions/compiled/{path.name}" for path in (ROOT / "corruptions" / "compiled").glob("*.py")},
    "pyautoattack": {"attacks/pyautoattack_adapter.py"},
    "great_tables": set(),  # only its scripts are read
    "http": {"cli/serving.py"},
    "jinja2": {"leaderboards/pages.py"},
    "ray": {"engines/ray_cluster.py"},
    "fsspec": {"files.py"},
    "open_clip": {"zoo/open_clip_models.py"},
    "timm": {"zoo/timm_models.py", "zoo/sat_architectures.py", "zoo/architectures.py"},
    "datasets": {"benchmarks/hugging_face.py"},
    "filelock": {"lease.py", "benchmarks/cache.py"},
    "typer": {f"cli/{path.name}" for path in (ROOT / PACKAGE / "cli").glob("*.py")},
    "pydantic": {"suite.py", "sweep.py", "leaderboards/entry.py", "leaderboards/layout.py"},
    "matplotlib": {"sweep_plot.py", "leaderboards/curves.py"},
    "sklearn": set(),
    "huggingface_hub": {"hub.py", "benchmarks/hugging_face.py"},
    "socket": {"hub.py"},
    "urllib": {"hub.py"},
    "vl_convert": {"leaderboards/site/libraries.py"},
}
"""Heavy third parties, and the only files that may import them."""


def sources() -> dict[str, str]:
    """Every product file by its path inside the package, wings included."""
    own = {str(path.relative_to(ROOT / PACKAGE)): path for path in (ROOT / PACKAGE).rglob("*.py")}
    wings = {str(path.relative_to(ROOT)): path for wing in WINGS for path in (ROOT / wing).rglob("*.py")}
    return {name: path.read_text() for name, path in (own | wings).items()}


def imports(name: str, text: str) -> Iterator[tuple[str, bool]]:
    """Absolute names of all that a file imports, and whether at run time (not only for type checking)."""
    tree = ast.parse(text)
    guarded = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for child in block.body
        for node in ast.walk(child)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in guarded
        elif isinstance(node, ast.ImportFrom):
            folder = [PACKAGE, *Path(name).parts[:-1]]
            base = ".".join(folder[: len(folder) - node.level + 1]) + "." if node.level else ""
            for alias in node.names:
                yield f"{base}{node.module or ''}.{alias.name}".replace("..", "."), id(node) not in guarded


def room(name: str) -> str:
    """`robustbench_eff.attacks.pgd.PGD` and `attacks/pgd.py` are both in `attacks`."""
    return Path(name).with_suffix("").parts[0] if "/" in name or name.endswith(".py") else name.split(".")[1]


def faults(files: dict[str, str]) -> list[str]:
    """Every forbidden import, as a sentence."""
    found = []
    for name, text in files.items():
        here = room(name)
        for target, at_run_time in imports(name, text):
            if not target.startswith(PACKAGE + "."):
                home = HOME_OF.get(target.split(".")[0])
                if at_run_time and home is not None and name not in home:
                    found.append(f"{name} imports {target}, which belongs to {sorted(home)}")
                continue
            there = room(target)
            if here in GROUND and there not in GROUND:
                found.append(f"{name} (ground floor) imports {target}")
            if here in WINGS and there not in GROUND | {here}:
                found.append(f"{name} (a wing) imports {target}")
            if there in WINGS and here not in WINGS | COMPOSERS:
                found.append(f"{name} (harness) imports {target}")
            if there == "hub" and here not in NETWORK_USERS:
                found.append(f"{name} imports {target}, which touches the network")
            if there == "catalog" and here not in CATALOG_USERS:
                found.append(f"{name} imports {target}")
    return found


def test_imports_flow_one_way() -> None:
    assert faults(sources()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rng.py", "from robustbench_eff.store import Store"),
        ("attacks/pgd.py", "from robustbench_eff.defenses import Standard"),
        ("attacks/pgd.py", "from robustbench_eff.referee import judge"),
        ("referee.py", "from robustbench_eff.attacks import PGD"),
        ("engines/local.py", "from robustbench_eff import attacks"),
        ("worker.py", "import timm"),
        ("store.py", "from robustbench_eff.catalog import attack"),
        ("scores/accuracy.py", "from ..attacks import PGD"),
        ("worker.py", "from robustbench_eff import hub"),
        ("store.py", "import urllib.request"),
    ],
)
def test_a_forbidden_import_is_found(name: str, text: str) -> None:
    assert faults({name: text})


def test_only_report_and_cli_print() -> None:
    printing = {
        name
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    }
    assert {room(name) for name in printing} <= PRINTERS


def test_nothing_touches_the_global_random_generators() -> None:
    files = sources()
    del files["rng.py"]  # puts them back
    assert {name: calls for name, text in files.items() if (calls := global_draws(text))} == {}


def global_draws(text: str) -> list[str]:
    """Calls that seed a global generator, or draw without one of their own."""
    seeds = ("manual_seed", "random.seed", "np.random.seed")
    draws = tuple(f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "rand_like", "randn_like"))
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [
        ast.unparse(call)
        for call in calls
        if (name := ast.unparse(call.func)).endswith(seeds)
        or (name in draws and all(keyword.arg != "generator" for keyword in call.keywords))
    ]


@pytest.mark.parametrize("text", ["torch.rand(3)", "torch.manual_seed(0)", "np.random.seed(0)", "torch.randn_like(x)"])
def test_a_global_draw_is_found(text: str) -> None:
    assert global_draws(text)


def test_no_file_is_longer_than_one_sitting() -> None:
    assert {name: text.count("\n") for name, text in sources().items() if text.count("\n") > 300} == {}
