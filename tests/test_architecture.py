"""Who may import whom: each room only what stands on a lower floor; and which file may import a heavy third party."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "robustbench_eff"
WINGS = ("attacks", "corruptions", "defenses", "leaderboards")
FLOORS = (
    "core < attacks, corruptions, defenses, leaderboards, system, storage < models < benchmarks < registry < scores "
    "< generation < evaluation < training, diagnostics < reports < publishing < cli"
)
"""Each room may import only what stands left of it."""
LOOSE = {"__init__.py"}
"""Modules outside of any room: the public API."""
LOOSE_ROOMS = {"__init__", "testing"}
"""What may import every room: the public API, and the contract batteries for plugins."""
NETWORK_USERS = {"models", "benchmarks", "diagnostics"}
LEADERBOARD_USERS = {"leaderboards", "publishing", "cli"}
PRINTERS = {"cli", "reports"}
HOME_OF = {
    "ai_edge_litert": {"models/sources/tflite_files.py", "models/native_trial.py"},
    "foolbox": {"attacks/foolbox_adapter.py"},
    "numba": {f"corruptions/compiled/{path.name}" for path in (ROOT / "corruptions" / "compiled").glob("*.py")},
    "pyautoattack": {"attacks/pyautoattack_adapter.py"},
    "great_tables": set(),  # only its scripts are read
    "http": {"cli/serve_site.py"},
    "jinja2": {"leaderboards/render.py"},
    "ray": {"evaluation/engines/ray_connection.py", "evaluation/engines/ray_pool.py"},
    "fsspec": {"storage/remote_files.py"},
    "onnx": {"models/sources/onnx_files.py"},
    "onnxruntime": {"models/sources/onnx_files.py", "models/native_trial.py"},
    "open_clip": {"models/sources/open_clip_models.py"},
    "timm": {
        "models/sources/timm_models.py",
        "models/networks/timm_variants.py",
        "models/sources/checkpoint_files.py",
        "models/sources/sat_architectures.py",
        "models/architectures.py",
    },
    "datasets": {"benchmarks/readers/hugging_face.py", "benchmarks/readers/hub_sources.py"},
    "filelock": {"storage/lease.py", "benchmarks/unfinished_file.py", "system/locks.py"},
    "requests": {"system/transfers.py"},
    "urllib3": {"system/transfers.py"},
    "typer": {f"cli/{path.name}" for path in (ROOT / PACKAGE / "cli").glob("*.py")},
    "pydantic": {
        "models/card.py",
        "registry/models_file.py",
        "registry/suite.py",
        "training/sweep_spec.py",
        "leaderboards/entry.py",
        "leaderboards/entry_fields.py",
        "leaderboards/about.py",
        "leaderboards/columns.py",
    },
    "matplotlib": {"reports/sweep_plot.py", "reports/figure_style.py", "leaderboards/curves.py"},
    "mlflow": {"reports/experiment_logs.py"},
    "pandas": {"scores/data_frame.py"},
    "sklearn": set(),  # only its digits are read; the tests import it
    "statsmodels": set(),  # for the tests
    "huggingface_hub": {
        "system/network.py",
        "system/hub_downloads.py",
        "benchmarks/readers/hugging_face.py",
        "benchmarks/readers/hub_sources.py",
    },
    "socket": {"system/network.py", "cli/serve_site.py"},
    "tensorboard": {"reports/experiment_logs.py"},
    "transformers": {"models/transformers_networks.py"},
    "urllib": {
        "system/network.py",
        "system/hub_downloads.py",
        "system/addresses.py",
        "system/transfers.py",
        "cli/serve_site.py",
    },  # which reads the names of hosts
    "vl_convert": {"leaderboards/site/vendored_js.py"},
}


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


def floors() -> dict[str, int]:
    """The floor of every room, counted from the bottom."""
    return {room: number for number, floor in enumerate(FLOORS.split(" < ")) for room in floor.split(", ")}


def faults(files: dict[str, str]) -> list[str]:
    """Every forbidden import, as a sentence."""
    found, floor_of = [], floors()
    for name, text in files.items():
        here = room(name)
        for target, at_run_time in imports(name, text):
            if not target.startswith(PACKAGE + "."):
                home = HOME_OF.get(target.split(".")[0])
                if at_run_time and home is not None and name not in home:
                    found.append(f"{name} imports {target}, which belongs to {sorted(home)}")
                continue
            there = room(target)
            if here not in (*floor_of, *LOOSE_ROOMS):
                found.append(f"{name} is in no room")
            if here in floor_of and there in floor_of and here != there and floor_of[there] >= floor_of[here]:
                found.append(f"{name} imports {target}, which does not stand below {here}")
            touching = tuple(
                f"{PACKAGE}.system.{name}" for name in ("network", "downloads", "hub_downloads", "transfers")
            )
            if target.startswith(touching) and here not in NETWORK_USERS | {"system"}:
                found.append(f"{name} imports {target}, which touches the network")
            if there == "leaderboards" and here in floor_of and here not in LEADERBOARD_USERS:
                found.append(f"{name} imports {target}, which only publishing and cli do")
    return found


def test_imports_flow_one_way() -> None:
    assert faults(sources()) == []


def test_every_file_is_in_a_room() -> None:
    rooms = {path.name for path in (ROOT / PACKAGE).iterdir() if (path / "__init__.py").is_file()}
    assert rooms - LOOSE_ROOMS | set(WINGS) == set(floors())
    assert {path.name for path in (ROOT / PACKAGE).glob("*.py")} == LOOSE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/rng.py", "from robustbench_eff.storage.store import Store"),
        ("core/rng.py", "from robustbench_eff.system import devices"),
        ("attacks/pgd.py", "from robustbench_eff.defenses import Standard"),
        ("attacks/pgd.py", "from robustbench_eff.evaluation.referee import judge"),
        ("models/classifier.py", "from robustbench_eff.benchmarks.benchmark import Benchmark"),
        ("evaluation/worker.py", "import timm"),
        ("evaluation/engines/dispatch.py", "from ...reports import score_tables"),
        ("storage/store.py", "from robustbench_eff.registry.build_defense import attack"),
        ("scores/accuracy.py", "from ..evaluation import plan"),
        ("evaluation/worker.py", "from robustbench_eff.system.network import reachable"),
        ("scores/ranks.py", "from robustbench_eff.leaderboards import ranking"),
        ("storage/store.py", "import urllib.request"),
        ("somewhere/else.py", "from robustbench_eff.core import spec"),
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
    del files["core/rng.py"]  # puts them back
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
