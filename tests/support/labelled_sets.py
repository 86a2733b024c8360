"""Small labelled sets in every form, for tests."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from robustbench_eff.benchmarks.benchmark import Benchmark
from robustbench_eff.benchmarks.image_cache import prepare
from robustbench_eff.core.preprocessing import Geometry
from robustbench_eff.registry import build_benchmark
from robustbench_eff.registry.open_benchmark import open_location

GEOMETRY = Geometry(size=8, mode="none")


COUNT = 6


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).save(buffer, "PNG")
    return buffer.getvalue()


def own(where: Path | str) -> Benchmark:
    return build_benchmark.benchmark("mine", str(where))


def prepared(where: Path | str, benchmark: Benchmark | None = None, **options):
    return prepare(benchmark or own(where), open_location(str(where), "test"), GEOMETRY, **options)


def class_folders(folder: Path, names: list[str]) -> Path:
    """Image `seed` in class folder `names[seed]`."""
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{seed}.png").write_bytes(png(seed))
    return folder


def flat_csv(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "labels.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "label"])
        for seed in range(COUNT):
            (folder / f"{seed}.png").write_bytes(png(seed))
            writer.writerow([f"{seed}.png", seed % 3])
    return folder


def parquet(folder: Path) -> Path:
    folder.mkdir()
    table = {"image": [png(seed) for seed in range(COUNT)], "label": [seed % 3 for seed in range(COUNT)]}
    pq.write_table(pa.table(table), folder / "part.parquet")
    return folder / "part.parquet"


def parquet_of_structs(folder: Path) -> Path:
    folder.mkdir()
    images = [{"bytes": png(seed), "path": None} for seed in range(COUNT)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    labels = pa.array([seed % 3 for seed in range(COUNT)])
    pq.write_table(pa.table({"jpg": pa.array(images, kind), "cls": labels}), folder / "part.parquet")
    return folder


def webdataset(folder: Path) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for seed in range(COUNT):
            for suffix, content in (("png", png(seed)), ("cls", str(seed % 3).encode())):
                info = tarfile.TarInfo(f"{seed:04d}.{suffix}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return folder / "shard.tar"


def saved_dataset(folder: Path) -> Path:
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    rows = {"image": [{"bytes": png(seed), "path": None} for seed in range(COUNT)], "label": [0, 1, 2] * 2}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=["a", "b", "c"])})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder))
    return folder


def npz(folder: Path) -> Path:
    folder.mkdir()
    x = np.stack([pixels(seed) for seed in range(COUNT)])
    np.savez(folder / "set.npz", x=x, y=[seed % 3 for seed in range(COUNT)])
    return folder / "set.npz"


def npz_of_floats(folder: Path) -> Path:
    folder.mkdir()
    x = np.stack([pixels(seed) for seed in range(COUNT)]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.savez(folder / "set.npz", images=x, labels=[seed % 3 for seed in range(COUNT)])
    return folder / "set.npz"


def jpeg(picture: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
