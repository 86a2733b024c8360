"""A Python file is named without its factory: the text says which one is meant, or the weights do, or a list asks."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import torch

from robustbench_eff.core.errors import UsageError
from robustbench_eff.models.own_factory import resolve
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry.load_classifier import load_classifier

HEAD = "import abc, functools, sys, torch, timm\nfrom torch import nn, Tensor\nfrom torch.nn import functional as F\n"
NET = """
class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, width, 3), nn.Linear(width, 5)
    def forward(self, images):
        return self.fc(self.conv(images).mean((2, 3)))
"""
SIZED = NET.replace("width=4", "num_classes").replace("width", "4").replace("4, 5", "4, num_classes")
DEEP = "class Deep(Net):\n    def __init__(self):\n        super().__init__(8)\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(HEAD + dedent(text), encoding="utf-8")
    return path


def chosen(folder: Path, text: str, **options: object) -> str:
    path = written(folder, text)
    target, notes = resolve(str(path), ModelRequest(name=str(path), **options))  # type: ignore[arg-type]
    name = target.rpartition(":")[2]
    assert notes[0].startswith(f"assumed: the network is {name} of ")
    return name


@pytest.mark.parametrize(
    ("text", "name"),
    {
        "a class": (NET, "Net"),
        "a class that asks for the number of classes": (SIZED, "Net"),
        "a function, and its class": (NET + "def build():\n    return Net(8)", "build"),
        "a network in steps": (
            NET + "def build():\n    net = Net()\n    net = net.cuda()\n    return net.eval()",
            "build",
        ),
        "helpers": (
            NET + "def _net(n):\n    return Net(n)\ndef small(n=2):\n    return _net(n)\n"
            "def accuracy(n=1):\n    return 2 * n",
            "small",
        ),
        "an activation without arguments, and a loss": (
            "class Swish(nn.Module):\n    def forward(self, x):\n        return x\n"
            "class Loss(nn.Module):\n    def forward(self, x, y):\n        return x\n"
            + NET.replace("super().__init__()", "super().__init__(); self.act = Swish()"),
            "Net",
        ),
        "an abstract base": (
            "class Base(nn.Module, abc.ABC):\n    @abc.abstractmethod\n    def features(self, x): ...\n"
            "    def forward(self, x):\n        return x\n"
            "class Net(Base):\n    def features(self, x):\n        return x",
            "Net",
        ),
        "a base that refuses": (
            "class Base(nn.Module):\n    def forward(self, x):\n        raise NotImplementedError\n"
            "class Net(Base):\n    def forward(self, x):\n        return x",
            "Net",
        ),
        "a program for its authors": (
            NET + "if __name__ == '__main__':\n    model = Net(); sys.exit('started')\n",
            "Net",
        ),
        "a function that trains": (NET + "def train():\n    net = Net()\n    return net\ndef main(): train()", "Net"),
        "a lambda": (NET + "build = lambda: Net(8)", "build"),
        "a partial": (NET.replace("width=4", "width") + "build = functools.partial(Net, width=8)", "build"),
        "a partial by position": (NET.replace("width=4", "width") + "build = functools.partial(Net, 8)", "build"),
        "a finished module": (NET + "model = Net().eval()", "model"),
        "a library's": ("def build():\n    return timm.create_model('resnet18', num_classes=5)", "build"),
        "an annotation alone": ("def build() -> 'nn.Module':\n    return something(1)", "build"),
        "a data set and a criterion": (
            NET + "class Images(torch.utils.data.Dataset):\n    def __len__(self):\n        return 1\n"
            "criterion = nn.CrossEntropyLoss()",
            "Net",
        ),
        "a definition for each version": (
            "try:\n    import nothing_of_that_name\nexcept ImportError:\n    nothing = None\n" + NET,
            "Net",
        ),
        "names that lead in circles": (
            NET + "def one():\n    return two()\ndef two():\n    return one()\n"
            "def three():\n    a = b\n    b = a\n    return a\n"
            "four = functools.partial(five)\nfive = functools.partial(four)\n"
            "class Six(Six):\n    pass",
            "Net",
        ),
    }.values(),
)
def test_the_text_says_which_factory_is_meant(text: str, name: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, text) == name


def test_nothing_runs_before_the_choice(tmp_path: Path) -> None:
    assert chosen(tmp_path, "open('ran', 'w'); raise SystemExit(3)\n" + NET) == "Net"
    with pytest.raises(UsageError, match="2 networks to choose from: Net and Deep"):
        chosen(tmp_path, "raise SystemExit(3)\n" + NET + DEEP)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (NET + DEEP, "has 2 networks to choose from: Net and Deep.", "--model {}:Net"),
        (
            NET.replace("width=4", "width, depth"),
            "has no network that can be built without arguments; it defines Net(width, depth).",
            "--model {}:Net --model-arg width=VALUE --model-arg depth=VALUE",
        ),
        ("def accuracy(): return 3", "defines no function that returns a network", "--model {}:accuracy"),
        ("", "defines no function that returns a network, and no network, that can be recognised.", "--model {}:NAME"),
        ("def broken(:", "cannot be read as Python: ", ""),
        ("x = '\x00'", "cannot be read as Python: ", ""),
    ],
)
def test_a_file_without_one_sensible_factory_asks_one_question(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        resolve(str(path), ModelRequest(name=str(path)))
    assert message in caught.value.message
    assert hint.format(path) in caught.value.hint


def test_arguments_of_the_user_decide_which_can_be_called(tmp_path: Path) -> None:
    text = NET + "def build(depth):\n    return Net(depth)"
    assert chosen(tmp_path, text) == "Net"
    assert chosen(tmp_path, text, model_args={"depth": 3}) == "build"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Those of `Net(8)`, with the prefix of DataParallel."""
    shapes = {"conv.weight": (8, 3, 3, 3), "conv.bias": (8,), "fc.weight": (5, 8), "fc.bias": (5,)}
    torch.save({f"module.{name}": torch.randn(shape) for name, shape in shapes.items()}, tmp_path / "w.pth")
    return tmp_path / "w.pth"


def test_weights_decide_among_several(weights: Path, tmp_path: Path) -> None:
    others = "def wide():\n    return Net(64)\ndef broken():\n    net = Net()\n    1 / 0\n    return net\n"
    text = NET + others + "def right():\n    return Net(8)\n"
    assert chosen(tmp_path, text, weights=weights) == "right"
    with pytest.raises(UsageError, match=r"3 networks to choose from.*\n?.*") as caught:
        chosen(tmp_path, text)
    assert caught.value.hint.endswith("mine.py:wide")
    with pytest.raises(UsageError, match=r"2 networks to choose from: right and too\. w.pth fits right and too\."):
        chosen(tmp_path, text + "def too():\n    return Net(8)\n", weights=weights)
    with pytest.raises(UsageError, match=r"w\.pth fits none of them as it is"):
        chosen(tmp_path, NET + others, weights=weights)


def test_the_number_of_classes_comes_from_the_weights_or_is_asked_for(weights: Path, tmp_path: Path) -> None:
    text = SIZED.replace("4", "8")
    classifier = load_classifier(str(written(tmp_path, text)), weights=weights, input_size=8)
    assert classifier.num_classes == 5
    assert "assumed: 5 classes, the outputs of the last layer in w.pth (--num-classes)" in classifier.provenance.notes
    with pytest.raises(UsageError, match="needs the number of classes") as caught:
        load_classifier(str(written(tmp_path, text)), input_size=8, random_weights=True)
    assert caught.value.hint == "Pass it: --num-classes N"
    asked = load_classifier(str(written(tmp_path, text)), input_size=8, random_weights=True, num_classes=3)
    assert asked.num_classes == 3


def test_every_assumption_is_a_line(weights: Path, tmp_path: Path) -> None:
    path = written(tmp_path, NET + "def build():\n    return Net(8)")
    notes = load_classifier(str(path), weights=weights).provenance.notes
    assumed = [note for note in notes if note.startswith("assumed: ")]
    assert [note.rpartition("(")[2] for note in assumed] == [
        f"--model {path}:NAME)",
        "--mean, --std)",
        "--input-size)",
        "--geometry)",
    ]
    given = load_classifier(
        f"{path}:build", weights=weights, mean=[0.5], std=[0.5], input_size=96, geometry="squash"
    ).provenance.notes
    assert not [note for note in given if note.startswith("assumed: ")]


def test_a_file_that_another_file_names_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, NET)
    with pytest.raises(UsageError, match="nothing was run"):
        resolve(str(path), ModelRequest(name=str(path), named_in="Suite odd"))


def test_a_file_of_a_package_says_how_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "layers.py").write_text("WIDTH = 4\n", encoding="utf-8")
    (folder / "mine.py").write_text(HEAD + "from .layers import WIDTH\n" + NET, encoding="utf-8")
    with pytest.raises(UsageError, match="attempted relative import") as caught:
        load_classifier(str(folder / "mine.py"), random_weights=True, input_size=8)
    assert f"in {tmp_path}, write nets.mine:NAME" in caught.value.hint
    monkeypatch.chdir(tmp_path)
    assert load_classifier("nets.mine:Net", random_weights=True, input_size=8).num_classes == 5
