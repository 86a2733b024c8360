"""Images that a table labels: CSVs, and copies of datasets of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Image as ImageFeature

from world_layouts import WorldLayout, encoded

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LABELS = (3, 0, 9, 1)
CARD = """---
configs:
{configs}---
# A dataset
"""
CONFIG = """- config_name: {name}
  data_files:
  - split: train
    path: {path}/train-*
  - split: test
    path: {path}/test-*
"""
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def pictures(folder: Path, labels: Sequence[int] = LABELS, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for row, label in enumerate(labels):
        (folder / f"{row}{suffix}").write_bytes(encoded(label))
    return folder


def table(lines: Iterable[str], name: str = "labels.csv", start: str = "") -> Callable[[Path], Path]:
    """A folder of four pictures and a table; `{}` in a line stands for the folder."""

    def make(folder: Path) -> Path:
        pictures(folder / "set")
        text = "".join(f"{line}\n" for line in lines).replace("{}", str(folder / "set"))
        (folder / "set" / name).write_text(start + text, encoding="utf-8")
        return folder / "set"

    return make


def rows(pattern: str) -> list[str]:
    """A line for every picture: `{row}` and `{label}` are filled in."""
    return [pattern.replace("<row>", str(row)).replace("<label>", str(label)) for row, label in enumerate(LABELS)]


def outside_and_inside(folder: Path) -> Path:
    pictures(folder / "elsewhere", LABELS[:2])
    place = pictures(folder / "set")
    lines = [f"{folder / 'elsewhere' / '0.png'},3", f"{folder / 'elsewhere' / '1.png'},0", "2.png,9", "3.png,1"]
    (place / "labels.csv").write_text("\n".join(["filename,label", *lines]))
    return place


def in_a_folder_beside_the_table(folder: Path, name: str = "pictures") -> Path:
    pictures(folder / "set" / name)
    (folder / "set" / "labels.csv").write_text("\n".join(["filename,label", *rows("<row>.png,<label>")]))
    return folder / "set"


def in_images_below_the_table(folder: Path) -> Path:
    return in_a_folder_beside_the_table(folder, "images")


def csv_of_another_encoding(folder: Path) -> Path:
    place = table(["file,label", "0.png,3"])(folder)
    (place / "labels.csv").write_text("file,label\n0.png,3\n", encoding="utf-16")
    return place


def two_suffixes(folder: Path) -> Path:
    place = table(["id,label", *rows("<row>,<label>")])(folder)
    (place / "0.jpg").write_bytes(encoded(3, form="JPEG"))
    return place


def several_tables(folder: Path) -> Path:
    for name in ("a.csv", "b.csv"):
        table(["file,label", *rows("<row>.png,<label>")], name)(folder)
    return folder / "set"


def parquet(path: Path, labels: Sequence[int], column: str = "label", named: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = Features({"img": ImageFeature(), column: ClassLabel(names=list(NAMES)) if named else Value("int64")})
    images = [{"bytes": encoded(label), "path": None} for label in labels]
    Dataset.from_dict({"img": images, column: list(labels)}, features=kinds).to_parquet(str(path))


def hub_download(folder: Path, place: str = "plain_text", column: str = "label", card: bool = True) -> Path:
    """What `hf download` writes."""
    parquet(folder / place / "train-00000-of-00001.parquet", LABELS[::-1], column)
    parquet(folder / place / "test-00000-of-00001.parquet", LABELS, column)
    for hidden in (".cache/huggingface/download", ".trash"):
        (folder / hidden).mkdir(parents=True)
        (folder / hidden / "a.parquet").write_bytes(b"")
    if card:
        (folder / "README.md").write_text(CARD.format(configs=CONFIG.format(name="plain_text", path=place)))
    return folder


def only_the_test_split(folder: Path) -> Path:
    """What `hf download --include 'plain_text/test*' README.md` writes."""
    (hub_download(folder) / "plain_text" / "train-00000-of-00001.parquet").unlink()
    return folder


def converted_branch(folder: Path, names: Sequence[str] = ("default",)) -> Path:
    """The branch refs/convert/parquet: CONFIGURATION/SPLIT/0000.parquet."""
    for name in names:
        parquet(folder / name / "train" / "0000.parquet", LABELS[::-1])
        parquet(folder / name / "test" / "0000.parquet", LABELS)
    return folder


def class_folders_beside_parquet(folder: Path) -> Path:
    for label, name in enumerate("abcd"):
        pictures(folder / name, [label])
    parquet(folder / "notes" / "size.parquet", LABELS)
    return folder


def several_configurations(folder: Path) -> Path:
    for name in ("coarse", "fine"):
        parquet(folder / name / "train-0.parquet", LABELS[::-1])
        parquet(folder / name / "test-0.parquet", LABELS)
    configs = "".join(CONFIG.format(name=name, path=name) for name in ("coarse", "fine"))
    (folder / "README.md").write_text(CARD.format(configs=configs))
    return folder


def hub_cache(folder: Path, revisions: Sequence[str] = ("abc",)) -> Path:
    """A folder of the hub cache, whose snapshots are links, in a hidden folder as it usually is."""
    place = folder / ".cache" / "huggingface" / "hub" / "datasets--owner--name"
    for number, revision in enumerate(revisions):
        for split, labels in (("train", LABELS[::-1]), ("test", LABELS[number:])):
            blob = place / "blobs" / f"{split}{number}"
            parquet(blob, labels)
            link = place / "snapshots" / revision / "data" / f"{split}-00000-of-00001.parquet"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../../../blobs/{blob.name}")
    return place


def hub_cache_with_a_main_revision(folder: Path) -> Path:
    place = hub_cache(folder, ("abc", "def"))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    return place


def weak_column(folder: Path, columns: Sequence[str]) -> Path:
    parquet(folder / "a.parquet", LABELS, columns[0], named=False)
    found = pq.read_table(folder / "a.parquet")
    for column in columns[1:]:
        found = found.append_column(column, found[columns[0]])
    pq.write_table(found, folder / "a.parquet")
    return folder / "a.parquet"


def parquet_pointer(folder: Path) -> Path:
    hub_download(folder)
    (folder / "plain_text" / "test-00000-of-00001.parquet").write_bytes(LFS)
    return folder


def _right(name: str, make: Callable[[Path], Path], benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, count=len(LABELS))


def _refused(name: str, make: Callable[[Path], Path], words: str, benchmark: str = "mine") -> WorldLayout:
    return WorldLayout(name=name, make=make, benchmark=benchmark, refusal=words)


_PLAIN = rows("<row>.png,<label>")

TABLE_LAYOUTS = (
    _right("csv_with_semicolons", table(["filename;label", *rows("<row>.png;<label>")])),
    _right("csv_with_tabs", table(["filename\tlabel", *rows("<row>.png\t<label>")])),
    _right("csv_with_spaces", table(["filename, label", *rows("<row>.png, <label>")])),
    _right("csv_with_a_byte_order_mark", table(["filename,label", *_PLAIN], start="\ufeff")),
    _right("csv_without_suffixes", table(["id,label", *rows("<row>,<label>")])),
    _right("csv_with_absolute_paths", table(["path,label", *rows("{}/<row>.png,<label>")])),
    _right("csv_with_paths_elsewhere", outside_and_inside),
    _right("csv_with_backslashes", table(["path,label", *rows(r".\<row>.png,<label>")])),
    _right("csv_with_targets", table(["file,target", *_PLAIN])),
    _refused(
        "csv_with_y_and_target", table(["file,y,target", *rows("<row>.png,<label>,7")]), "may be the column 'y' or"
    ),
    _refused("csv_of_other_columns", table(["file,animal", *_PLAIN]), "has the columns file, animal; it needs"),
    _refused("csv_lists_a_file_twice", table(["file,label", *_PLAIN, "1.png,0"]), r"lists 1.png in the lines 3 and 6"),
    _refused("csv_names_two_files", two_suffixes, r"names '0', which may be 0.jpg and 0.png"),
    _refused(
        "csv_of_another_machine", table(["file,label", "/gone/0.png,3"]), "names '/gone/0.png', which does not exist"
    ),
    _refused("csv_of_excel", csv_of_another_encoding, "labels.csv is not UTF-8 text.\nSave it as"),
    _refused("csv_beside_the_images", in_a_folder_beside_the_table, r"not in .*\nIt is in .*pictures: write pictures/"),
    _right("csv_above_images", in_images_below_the_table),
    _right("csv_file", lambda folder: table(["file,label", *_PLAIN])(folder) / "labels.csv"),
    _refused("several_csv", several_tables, r"several tables: a.csv, b.csv.\nPass one of them, such as .*a.csv"),
    _right("hf_download", hub_download, "cifar10"),
    _right("hf_download_of_ones_own_name", hub_download),
    _right("hf_download_without_card", lambda folder: hub_download(folder, card=False)),
    _right("hf_download_of_fine_labels", lambda folder: hub_download(folder, "cifar100", "fine_label")),
    _right("hf_download_of_one_split", only_the_test_split),
    _right("hf_download_in_data", lambda folder: hub_download(folder, "data", card=False)),
    _right("hf_download_configuration", lambda folder: several_configurations(folder) / "fine"),
    _right("hf_converted", converted_branch),
    _right("class_folders_beside_parquet", class_folders_beside_parquet),
    _right("hub_cache", hub_cache),
    _right("hub_cache_snapshot", lambda folder: hub_cache(folder) / "snapshots" / "abc"),
    _right("hub_cache_main", hub_cache_with_a_main_revision),
    _right("parquet_with_labels", lambda folder: weak_column(folder, ["labels"])),
    _refused(
        "hub_cache_of_revisions", lambda folder: hub_cache(folder, ("abc", "def")), "snapshots abc, def.\nPass one"
    ),
    _refused("hf_configurations", several_configurations, "several configurations: coarse, fine.\nPass .*coarse"),
    _refused(
        "hf_converted_configurations", lambda folder: converted_branch(folder, ("a", "b")), "configurations: a, b"
    ),
    _refused("hf_pointer", parquet_pointer, "is a pointer of git LFS, not the file itself.\nRun `git lfs pull`"),
    _refused(
        "parquet_ambiguous", lambda folder: weak_column(folder, ["y", "target"]), "may be the column 'y' or 'target'"
    ),
)
