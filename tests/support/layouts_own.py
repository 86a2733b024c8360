"""Layouts of people's own images."""

from __future__ import annotations

from pathlib import Path

from datasets import ClassLabel, Dataset, Features
from datasets import Image as ImageFeature

from world_layouts import WorldLayout, encoded

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def _class_label_out_of_alphabetical_order(folder: Path) -> Path:
    rows = {"image": [{"bytes": encoded(label), "path": None} for label in range(10)], "label": list(range(10))}
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=list(FASHION))})
    Dataset.from_dict(rows, features=features).save_to_disk(str(folder / "saved"))
    return folder / "saved"


OWN_LAYOUTS = (WorldLayout(name="class_label_of_fashion_mnist", make=_class_label_out_of_alphabetical_order, count=10),)
