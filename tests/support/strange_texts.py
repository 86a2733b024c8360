"""Odd JSON, YAML and CSV: suites, class lists, layouts of tables, entries, trials, and files of other projects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from robustbench_eff.benchmarks.class_order import in_class_map, in_class_order
from robustbench_eff.benchmarks.labelled_images import LabelledImages
from robustbench_eff.core.errors import UsageError
from robustbench_eff.core.outside_files import read_text
from robustbench_eff.leaderboards.columns import layout
from robustbench_eff.leaderboards.entry import read_entry
from robustbench_eff.leaderboards.import_export import from_timm
from robustbench_eff.leaderboards.robustbench_files import from_robustbench
from robustbench_eff.registry import build_benchmark
from robustbench_eff.scores.alexnet import measured
from robustbench_eff.scores.trials import read_trials
from robustbench_eff.training.sweep_spec import Sweep
from strange_files import Strange, endless, gzip_bomb, pipe, written

_OPENED = LabelledImages(
    origin="images", ids=["0", "1"], labels=["a", "b"], read=lambda _: np.zeros((8, 8, 3), np.uint8), stamp=""
)
_READERS: Mapping[str, Callable[[Path], object]] = {
    "suite": lambda path: build_benchmark.suite(str(path)).parts,
    "order": lambda path: in_class_order(_OPENED, str(path)).class_names,
    "map": lambda path: in_class_map(_OPENED, str(path)).outputs,
    "columns": lambda path: layout(str(path)).title,
    "entry": lambda path: read_entry(path).model,
    "sweep": lambda path: Sweep.parse(read_text(path, UsageError), str(path)).title,
    "trials": lambda path: [observer.name for observer in read_trials(path)],
    "alexnet": lambda path: measured(path).clean_error,
    "results-imagenet": lambda path: [entry.model for entry in from_timm(path)],
    "Linf": lambda path: [entry.model for entry in from_robustbench(path)],
}
"""What reads a file, by the beginning of its name or by its folder."""


def read(path: Path) -> str:
    """Read a text with the reader that its name or its folder tells."""
    reader = _READERS.get(path.parent.name) or _READERS[path.name.partition(".")[0]]
    return f"read {reader(path)}"


def _published(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "cifar10" / "Linf").mkdir(parents=True)
        return written(text, "Some2020Model.json")(folder / "cifar10" / "Linf")

    return make


_SUITE = "title: {}\nparts:\n- benchmarks: [any]\n  perturbations: [none]\n"
_DEEP = "[" * 100_000
_TIMM = "model,top1,top5,img_size\n"
_PUBLISHED = '{{"dataset": "cifar10", "eps": "8/255", "clean_acc": {}, "autoattack_acc": "50"}}'
_TRIALS = "subj,session,trial,rt,object_response,category,condition,imagename\n"
SUITES = {
    "suite": Strange(written(_SUITE.format("a"), "suite.yaml"), "read .*none"),
    "suite with a date that is none": Strange(
        written(_SUITE.format("2026-02-30"), "suite.yaml"), "day is out of range"
    ),
    "suite with brackets": Strange(written(_DEEP, "suite.yaml"), "within one another"),
    "suite with a key twice": Strange(written(_SUITE.format("a") + "title: b\n", "suite.yaml"), "stated twice"),
    "suite that is a list": Strange(written("[1]", "suite.yaml"), "the file: "),
    "suite of null": Strange(written("", "suite.yaml"), "the file: "),
    "suite that makes an object": Strange(written("!!python/object/apply:os.abort []", "suite.yaml"), "is not YAML"),
    "suite of laughs": Strange(
        written(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
            "suite.yaml",
        ),
        "aliases",
    ),
    "suite that contains itself": Strange(written("&a [*a]", "suite.yaml"), "within one another"),
    "suite in UTF-16": Strange(written(_SUITE.encode("utf-16"), "suite.yaml"), "not text in UTF-8"),
    "suite with a null byte": Strange(written(_SUITE.format("a\0"), "suite.yaml"), "is not YAML"),
    "suite in a pipe": Strange(pipe("suite.yaml"), "is a named pipe"),
    "suite without an end": Strange(endless("suite.yaml"), "is a device"),
    "suite with a long number": Strange(written(_SUITE.format("9" * 5000), "suite.yaml"), "cannot be read|title"),
    "sweep with a date that is none": Strange(written("title: 2026-02-30", "sweep.yaml"), "day is out of range"),
    "sweep in a pipe": Strange(pipe("sweep.yaml"), "is a named pipe"),
    "columns with brackets": Strange(written(_DEEP, "columns.yaml"), "within one another"),
    "columns with a date that is none": Strange(written("title: 2026-02-30", "columns.yaml"), "day is out of range"),
    "columns in a pipe": Strange(pipe("columns.yaml"), "is a named pipe"),
}
CLASSES = {
    "list": Strange(written("b\na\n", "order.txt"), r"read \('b', 'a'\)"),
    "list in JSON": Strange(written('["b", "a"]', "order.json"), r"read \('b', 'a'\)"),
    "list with a deep bracket": Strange(written(_DEEP, "order.json"), "within one another"),
    "list with NaN": Strange(written('{"a": NaN, "b": 0}', "order.json"), "does not number its classes"),
    "list with a name twice": Strange(written('{"a": 0, "a": 1}', "order.json"), "states 'a' twice"),
    "list of lists": Strange(written('[["a"], ["b"]]', "order.json"), "classes that"),
    "list with mappings as numbers": Strange(
        written('{"a": {}, "b": []}', "order.json"), "does not number its classes"
    ),
    "list with a long number": Strange(written('{"a": ' + "9" * 5000 + "}", "order.json"), "is not JSON"),
    "list with a long key": Strange(
        written('{"' + "9" * 5000 + '": "a"}', "order.json"), "does not number its classes"
    ),
    "list with other digits": Strange(written('{"٠": "a", "١": "b"}', "order.json"), r"read \('a', 'b'\)"),
    "list in UTF-16": Strange(written("a\nb\n".encode("utf-16"), "order.txt"), "not text in UTF-8"),
    "list in a pipe": Strange(pipe("order.txt"), "is a named pipe"),
    "list without an end": Strange(endless("order.txt"), "is a device"),
    "list of many names": Strange(written("\n".join(map(str, range(300_000))), "order.txt"), "classes that"),
    "map": Strange(written('{"a": [1, 2], "b": 0}', "map.json"), r"read \(\(1, 2\), \(0,\)\)"),
    "map with a deep bracket": Strange(written('{"a":' * 5000, "map.json"), "is not JSON|within one another"),
    "map with a long number": Strange(written("a,1\nb," + "9" * 5000, "map.csv"), "has the output"),
    "map with another digit": Strange(written("a,1\nb,²", "map.csv"), "has the output"),
    "map with mappings": Strange(written('{"a": {"b": 1}, "b": [[1]]}', "map.json"), "has the output"),
    "map with an open quotation": Strange(written('a,"1\n' + "b,2\n" * 50_000, "map.csv"), "output|CSV"),
    "map that is a list": Strange(written("[1, 2]", "map.json"), "is a list"),
    "map in a pipe": Strange(pipe("map.json"), "is a named pipe"),
}
ENTRIES = {
    "entry": Strange(written('{"model": "a"}', "entry.json"), "read a"),
    "entry with a key twice": Strange(written('{"model": "a", "model": "b"}', "entry.json"), "states 'model' twice"),
    "entry with a deep bracket": Strange(written(_DEEP, "entry.json"), "within one another"),
    "entry that is a list": Strange(written("[]", "entry.json"), "is not a leaderboard entry"),
    "entry with NaN": Strange(written('{"model": NaN}', "entry.json"), "is not a leaderboard entry"),
    "entry of many errors": Strange(written('{"measured": [' + "1, " * 5000 + "1]}", "entry.json"), "and 4.* more"),
    "entry with half a character": Strange(written(r'{"model": "\ud800"}', "entry.json"), "entry|JSON"),
    "entry in UTF-16": Strange(written('{"model": "a"}'.encode("utf-16"), "entry.json"), "not text in UTF-8"),
    "entry in a pipe": Strange(pipe("entry.json"), "is a named pipe"),
    "entry without an end": Strange(endless("entry.json"), "is a device"),
    "figures of AlexNet with a deep bracket": Strange(written(_DEEP, "alexnet.json"), "within one another"),
    "figures of AlexNet that are a list": Strange(written("[1]", "alexnet.json"), "cannot be read as figures"),
    "figures of AlexNet inside out": Strange(
        written('{"imagenet_c": [], "imagenet_p": {"flip_probability": 3}}', "alexnet.json"),
        "cannot be read as figures",
    ),
    "figures of AlexNet as truth": Strange(
        written('{"imagenet_c": {"clean_error": true}}', "alexnet.json"), "expected a fraction"
    ),
    "figures of AlexNet in a pipe": Strange(pipe("alexnet.json"), "is a named pipe"),
    "published": Strange(_published(_PUBLISHED.format('"94.2"')), "read .*some2020model"),
    "published with NaN": Strange(_published(_PUBLISHED.format("NaN")), "expected a percentage"),
    "published with infinity": Strange(_published(_PUBLISHED.format("1e999")), "expected a percentage"),
    "published with a long number": Strange(_published(_PUBLISHED.format("9" * 4000)), "expected a number"),
    "published with a list": Strange(_published(_PUBLISHED.format("[[]]")), "expected a number"),
    "published with a key twice": Strange(_published('{"dataset": "a", "dataset": "b"}'), "twice"),
    "published that is a list": Strange(_published("[]"), "does not have|not have|not a|dataset"),
    "timm's": Strange(written(_TIMM + "a,80,90,224\n", "results-imagenet.csv"), "read .*a"),
    "timm's with a size that is none": Strange(
        written(_TIMM + "a,80,90,wide\n", "results-imagenet.csv"), "expected pixels"
    ),
    "timm's with a long size": Strange(
        written(_TIMM + f"a,80,90,{'9' * 5000}\n", "results-imagenet.csv"), "expected pixels"
    ),
    "timm's with short rows": Strange(written(_TIMM + "a\n", "results-imagenet.csv"), "expected a number"),
    "timm's with long rows": Strange(written(_TIMM + "a,80,90,224,5,6\n", "results-imagenet.csv"), "read"),
    "timm's with an open quotation": Strange(written(_TIMM + '"' + "a" * 200_000, "results-imagenet.csv"), "as CSV"),
    "timm's in a pipe": Strange(pipe("results-imagenet.csv"), "is a named pipe"),
    "trials with an open quotation": Strange(written(_TRIALS + '"' + "a" * 200_000, "trials.csv"), "as CSV"),
    "trials with short rows": Strange(written(_TRIALS + "a,1\n", "trials.csv"), "not as many values"),
    "trials in an archive that is a bomb": Strange(
        written(gzip_bomb(start=bytes(0)), "trials.tgz"), "does not hold|MiB"
    ),
    "trials in an archive of something else": Strange(written(b"something else", "trials.tgz"), "cannot be read"),
    "trials in a pipe": Strange(pipe("trials.csv"), "is a named pipe"),
}
