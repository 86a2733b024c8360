"""MedMNIST-C: the corrupted test images of the data sets of MedMNIST+ with one label, 224x224 pixels."""

from __future__ import annotations

from robustbench_eff.core.preprocessing import Geometry

from ..benchmark import Benchmark
from ..layouts.medmnist_c import medmnist_c


def _medmnist_c(title: str, num_classes: int) -> Benchmark:
    name = title.lower()
    licence = "CC BY-NC 4.0" if name == "dermamnist" else "CC BY 4.0"
    return Benchmark(
        name=f"{name}-c",
        title=f"{title}-C of MedMNIST-C, the published archives (Di Salvo et al. 2024)",
        label_space=name,
        licence=f"{licence} (unverified)",
        download_url="https://zenodo.org/records/11471504; TissueMNIST-C is made with the package medmnistc",
        size="the test images of each corruption at 5 severities (size unknown)",
        num_classes=num_classes,
        source_benchmark=name,
        geometry=Geometry(size=224, mode="none"),
        layout=medmnist_c(name),
    )


BLOODMNIST_C = _medmnist_c("BloodMNIST", 8)
BREASTMNIST_C = _medmnist_c("BreastMNIST", 2)
DERMAMNIST_C = _medmnist_c("DermaMNIST", 7)
OCTMNIST_C = _medmnist_c("OCTMNIST", 4)
ORGANAMNIST_C = _medmnist_c("OrganAMNIST", 11)
ORGANCMNIST_C = _medmnist_c("OrganCMNIST", 11)
ORGANSMNIST_C = _medmnist_c("OrganSMNIST", 11)
PATHMNIST_C = _medmnist_c("PathMNIST", 9)
PNEUMONIAMNIST_C = _medmnist_c("PneumoniaMNIST", 2)
RETINAMNIST_C = _medmnist_c("RetinaMNIST", 5)
TISSUEMNIST_C = _medmnist_c("TissueMNIST", 8)
