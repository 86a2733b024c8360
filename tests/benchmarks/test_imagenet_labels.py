"""The user's own images of some of ImageNet's classes, on a network with 1,000 outputs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

from labelled_sets import class_folders, pixels, png
from robustbench_eff import evaluate, load_classifier
from robustbench_eff.benchmarks.definitions.imagenet import class_index
from robustbench_eff.benchmarks.imagenet_labels import with_imagenet_outputs
from robustbench_eff.core.errors import RobustEvalError
from robustbench_eff.core.rng import RandomStreams
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location
from running import accuracies

WNIDS = {"n01440764": 0, "n01443537": 1, "n02099601": 207, "n07565083": 922, "n15075141": 999}
"""Wnids and outputs, from the list of ILSVRC 2012."""
NAMES = ["n07565083", "n01440764", "n15075141", "n01440764", "n02099601", "n01443537"] * 4
OPTIONS = {"attacks": ["none"], "device": "cpu"}


class Outputs(nn.Module):
    """Fixed random directions, one per output."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        draws = RandomStreams.of(0, range(outputs))
        self.register_buffer("directions", draws.normal((3 * 8 * 8,), stream="outputs"))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1) - 0.5) @ self.directions.T


def network(outputs: int = 1000, **options):
    return load_classifier(Outputs(outputs).eval(), input_size=8, device="cpu", **options)


def correct_over(outputs: list[int], names: list[str]) -> int:
    """Images whose best output among some is that of their wnid: a loop that uses nothing of the package."""
    directions = Outputs(1000).directions.numpy()
    count = 0
    for seed, name in enumerate(names):
        logits = directions @ (pixels(seed).transpose(2, 0, 1).reshape(-1) / np.float32(255) - np.float32(0.5))
        count += max(outputs, key=lambda output: logits[output]) == WNIDS[name]
    return count


def labelled_by_wnid(folder: Path, form: str) -> Path:
    if form == "folders":
        return class_folders(folder, NAMES)
    folder.mkdir()
    if form == "parquet":
        pq.write_table(
            pa.table({"image": [png(seed) for seed in range(len(NAMES))], "wnid": NAMES}), folder / "x.parquet"
        )
        return folder / "x.parquet"
    if form == "dataset":
        from datasets import ClassLabel, Dataset, Features
        from datasets import Image as ImageFeature

        names = sorted(WNIDS, reverse=True)  # the numbers of a ClassLabel are not the order of wnids
        rows = {
            "image": [{"bytes": png(seed), "path": None} for seed in range(len(NAMES))],
            "label": [names.index(name) for name in NAMES],
        }
        features = Features({"image": ImageFeature(), "label": ClassLabel(names=names)})
        Dataset.from_dict(rows, features=features).save_to_disk(str(folder))
        return folder
    with (folder / "labels.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "wnid"])
        for seed, name in enumerate(NAMES):
            (folder / f"{seed}.png").write_bytes(png(seed))
            writer.writerow([f"{seed}.png", name])
    return folder


@pytest.mark.parametrize("form", ["folders", "csv", "parquet", "dataset"])
def test_the_argmax_is_over_the_outputs_of_the_images_classes(tmp_path: Path, form: str) -> None:
    data = {"mine": str(labelled_by_wnid(tmp_path / "set", form))}
    result = evaluate(network(num_classes=1000), benchmarks=["mine"], data=data, store=tmp_path / "store", **OPTIONS)
    (score,) = accuracies(result.scores)
    assert (round(score.value * score.n), score.n) == (correct_over(sorted(WNIDS.values()), NAMES), len(NAMES))
    assert score.value != correct_over(list(range(1000)), NAMES) / len(NAMES)
    first = "tench (n01440764), goldfish (n01443537), golden retriever (n02099601) and 2 more"
    assert f"argmax over 5 of 1000 outputs: {first}" in str(score.protocol)
    (cell,) = (json.loads(path.read_text()) for path in (tmp_path / "store").glob("cells/*/cell.json"))
    assert [name[-10:-1] for name in cell["protocol"]["class_names"]] == sorted(WNIDS)


def test_class_names_are_as_good_as_wnids(tmp_path: Path) -> None:
    named = {"n07565083": "menu", "n01440764": "tench", "n02099601": "golden retriever"}
    names = [named.get(name, name) for name in NAMES]  # wnids and names, and two of them in alphabetical order
    scores = []
    for folder, labels in (("wnids", NAMES), ("names", names)):
        data = {"mine": str(class_folders(tmp_path / folder, labels))}
        options = {"benchmarks": ["mine"], "data": data, "store": tmp_path / folder / "store"}
        scores += accuracies(evaluate(network(num_classes=1000), **options, **OPTIONS).scores)
    assert scores[0].value == scores[1].value
    assert str(scores[0].protocol) == str(scores[1].protocol)


def test_one_run_may_have_a_model_of_imagenet_and_one_of_these_classes(tmp_path: Path) -> None:
    (tmp_path / "five.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Five(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.register_buffer('weight', torch.linspace(-1, 1, 5 * 192).sin().view(5, 192))\n"
        "    def forward(self, images):\n"
        "        return images.flatten(1) @ self.weight.T\n"
    )
    data = {"mine": str(class_folders(tmp_path / "set", NAMES))}
    own = ModelRequest(name=f"{tmp_path}/five.py:Five", input_size=8)
    models = (own, network(num_classes=1000), own)
    result = evaluate(*models, benchmarks=["mine"], data=data, store=tmp_path / "store", **OPTIONS)
    by_protocol = {"argmax" in str(score.protocol): score.value for score in accuracies(result.scores)}
    assert by_protocol[True] == correct_over(sorted(WNIDS.values()), NAMES) / len(NAMES)
    weight, position = (
        np.sin(np.linspace(-1, 1, 960)).reshape(5, 192),
        {name: at for at, name in enumerate(sorted(WNIDS))},
    )
    own_correct = sum(
        int(np.argmax(weight @ (pixels(seed).transpose(2, 0, 1).reshape(-1) / 255))) == position[name]
        for seed, name in enumerate(NAMES)
    )
    assert by_protocol[False] == own_correct / len(NAMES)


def test_own_images_are_enough_where_the_suite_s_are_not_there(tmp_path: Path) -> None:
    data = {"mine": str(class_folders(tmp_path / "set", NAMES))}
    result = evaluate(network(num_classes=1000), data=data, store=tmp_path / "store", **OPTIONS)
    assert {score.benchmark for score in result.scores} == {"mine"}


def test_all_thousand_classes_are_imagenets_whatever_the_order_of_their_names(tmp_path: Path) -> None:
    rows = json.loads((Path("robustbench_eff") / "facts" / "imagenet_classes.json").read_text())["classes"]
    known = class_index()
    names = [row["torchvision_name"] if row["torchvision_name"] in known else row["wnid"] for row in rows]
    (tmp_path / "set").mkdir()
    image = png(0)
    pq.write_table(pa.table({"image": [image] * 1000, "label": names}), tmp_path / "set.parquet")
    opened = open_location(str(tmp_path / "set.parquet"), "test")
    seen = with_imagenet_outputs(build_benchmark.benchmark("mine", "here"), opened)
    assert (seen.num_classes, seen.class_map, seen.class_names) == (1000, None, ())
    index_of = seen.class_index()
    assert [index_of[name] for name in names] == list(range(1000))


def refusal(folder: Path, names: list[str], classifier=None) -> str:
    data = {"mine": str(class_folders(folder / "set", names))}
    with pytest.raises(RobustEvalError) as caught:
        evaluate(
            classifier or network(num_classes=1000), benchmarks=["mine"], data=data, store=folder / "store", **OPTIONS
        )
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["n01440764", "n01443537", "cat"], "'cat' is not a class of ImageNet's 1000, while 2 other labels are."),
        (["n01440764", "n01443538"], "'n01443538' is not a class of ImageNet's 1000, while 1 other label is."),
        (["n00000001", "n00000002"], "'n00000001', 'n00000002' are not classes of ImageNet's 1000."),
        (["n01440764", "7"], "'7' is not a class of ImageNet's 1000"),
        (["tench", "crane"], "'crane' is the name of several classes of ImageNet.\nUse its wnid."),
        (["tench", "golden retreiver"], "Did you mean 'golden retriever'"),
        (["n01440764", "tench"], "holds a single class, tench (n01440764): with one output nothing can be wrong."),
        (["0", "1", "2"], "labels its images 0 to 2, which may be 3 classes of its own or the first of ImageNet's."),
        (["00001", "00002"], "labels its images 1 to 2, which may be"),
        (["cat", "dog"], "has 1000 outputs, but mine has 2 classes.\nName the classes of the images by wnid"),
    ],
)
def test_labels_that_may_mean_two_things_are_one_sentence(tmp_path: Path, names: list[str], words: str) -> None:
    assert words in refusal(tmp_path, names)


def test_the_hints_work(tmp_path: Path) -> None:
    text = refusal(tmp_path, ["0", "1", "2"])
    assert f"--benchmark imagenet --data imagenet={tmp_path}/set" in text
    options = {"benchmarks": ["imagenet"], "data": {"imagenet": f"{tmp_path}/set"}, "store": tmp_path / "store"}
    (score,) = accuracies(evaluate(network(num_classes=1000), **options, **OPTIONS).scores)
    assert score.n == 3
    unknown = refusal(tmp_path / "unknown", ["n01440764", "n01443537"], network())
    assert "say so with --num-classes 1000: the argmax is then over the mine classes alone." in unknown
    other = refusal(tmp_path / "other", ["n01440764", "n01443537"], network(1001))
    assert "has 1001 outputs, but mine has 2 classes.\nChoose a benchmark of the model's own classes" in other
    assert "num-classes" not in other


def test_numbers_of_imagenet_with_gaps_are_indices(tmp_path: Path) -> None:
    data = {"mine": str(class_folders(tmp_path / "set", ["3", "17", "999"]))}
    options = {"benchmarks": ["mine"], "data": data, "store": tmp_path / "store"}
    (score,) = accuracies(evaluate(network(num_classes=1000), **options, **OPTIONS).scores)
    assert (score.n, "argmax" in str(score.protocol)) == (3, False)


def test_another_number_of_outputs_than_a_module_has_is_refused() -> None:
    with pytest.raises(RobustEvalError, match="has 10 outputs, not the 1000 of --num-classes"):
        network(10, num_classes=1000)


@pytest.mark.slow
@pytest.mark.shared
def test_a_real_network_over_some_classes(shared: Path, tmp_path: Path) -> None:
    """MobileNetV2 on 60 photographs of 17 classes, against a loop over timm's network and PIL's pixels."""
    import io

    import timm
    from safetensors.torch import load_file

    rows = json.loads((Path("robustbench_eff") / "facts" / "imagenet_classes.json").read_text())["classes"]
    photographs = pq.read_table(shared / "nips17_dev_400_png.parquet").to_pylist()
    kept = sorted({row["label"] for row in photographs})[::17]
    chosen = [row for row in photographs if row["label"] in kept]
    module = timm.create_model("mobilenetv2_100", pad_type="same").eval()
    module.load_state_dict(load_file(shared / "mobilenetv2_100.tf2ptq.timm.safetensors"))
    counts = {"chosen": 0, "all": 0}
    for number, row in enumerate(chosen):
        content = row["image"]["bytes"] if isinstance(row["image"], dict) else row["image"]
        folder = tmp_path / "set" / rows[row["label"]]["wnid"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(content)
        picture = Image.open(io.BytesIO(content)).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
        pixels_of = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            logits = module((pixels_of - 0.5) / 0.5)[0]
        counts["chosen"] += kept[int(logits[kept].argmax())] == row["label"]
        counts["all"] += int(logits.argmax()) == row["label"]
    model = load_classifier(
        "timm:mobilenetv2_100",
        weights=shared / "mobilenetv2_100.tf2ptq.timm.safetensors",
        model_args={"pad_type": "same"},
        mean=[0.5],
        std=[0.5],
        geometry="squash",
    )
    result = evaluate(model, data={"mine": str(tmp_path / "set")}, store=tmp_path / "store", **OPTIONS)
    (score,) = accuracies(result.scores)
    assert (round(score.value * score.n), score.n) == (counts["chosen"], len(chosen))
    assert counts["chosen"] >= counts["all"]
