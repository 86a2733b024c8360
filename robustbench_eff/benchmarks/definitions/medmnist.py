"""MedMNIST: the 2D data sets with one label, and the corrupted images of MedMNIST-C, 224x224 pixels.

ChestMNIST is not among them, because its images have several labels.
"""

from __future__ import annotations

import dataclasses

from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..layouts.medmnist_c import medmnist_c


def _medmnist(title: str, num_classes: int) -> Benchmark:
    name = title.lower()
    licence = "CC BY-NC 4.0" if name == "dermamnist" else "CC BY 4.0"
    return Benchmark(
        name=name,
        title=f"{title} test (Yang et al. 2023)",
        label_space=name,
        licence=f"{licence} (unverified)",
        download_url="https://medmnist.com",
        size="the test images (size unknown)",
        num_classes=num_classes,
    )


def _corrupted(clean: Benchmark) -> Benchmark:
    return dataclasses.replace(
        clean,
        name=f"{clean.name}-c",
        title=f"{clean.title.split()[0]}-C of MedMNIST-C, the published archives (Di Salvo et al. 2024)",
        download_url="https://zenodo.org/records/11471504; TissueMNIST-C is made with the package medmnistc",
        size="the test images of each corruption at 5 severities (size unknown)",
        source_benchmark=clean.name,
        geometry=Geometry(size=224, mode="none"),
        layout=medmnist_c(clean.name),
    )


BLOODMNIST = _medmnist("BloodMNIST", 8)
BLOODMNIST_C = _corrupted(BLOODMNIST)
BREASTMNIST = _medmnist("BreastMNIST", 2)
BREASTMNIST_C = _corrupted(BREASTMNIST)
DERMAMNIST = _medmnist("DermaMNIST", 7)
DERMAMNIST_C = _corrupted(DERMAMNIST)
OCTMNIST = _medmnist("OCTMNIST", 4)
OCTMNIST_C = _corrupted(OCTMNIST)
ORGANAMNIST = _medmnist("OrganAMNIST", 11)
ORGANAMNIST_C = _corrupted(ORGANAMNIST)
ORGANCMNIST = _medmnist("OrganCMNIST", 11)
ORGANCMNIST_C = _corrupted(ORGANCMNIST)
ORGANSMNIST = _medmnist("OrganSMNIST", 11)
ORGANSMNIST_C = _corrupted(ORGANSMNIST)
PATHMNIST = _medmnist("PathMNIST", 9)
PATHMNIST_C = _corrupted(PATHMNIST)
PNEUMONIAMNIST = _medmnist("PneumoniaMNIST", 2)
PNEUMONIAMNIST_C = _corrupted(PNEUMONIAMNIST)
RETINAMNIST = _medmnist("RetinaMNIST", 5)
RETINAMNIST_C = _corrupted(RETINAMNIST)
TISSUEMNIST = _medmnist("TissueMNIST", 8)
TISSUEMNIST_C = _corrupted(TISSUEMNIST)
