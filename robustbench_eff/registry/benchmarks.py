"""The table of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping

from .table import Row, Table

BENCHMARKS = Table(
    "benchmark",
    "robustbench_eff.benchmarks",
    {
        "bloodmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:BLOODMNIST", "BloodMNIST, test images"),
        "bloodmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:BLOODMNIST_C",
            "BloodMNIST-C of MedMNIST-C, the published archives",
        ),
        "breastmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:BREASTMNIST", "BreastMNIST, test images"),
        "breastmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:BREASTMNIST_C",
            "BreastMNIST-C of MedMNIST-C, the published archives",
        ),
        "cifar10": Row("robustbench_eff.benchmarks.definitions.cifar10:CIFAR10", "CIFAR-10 test, 10,000 images"),
        "cifar10-c": Row(
            "robustbench_eff.benchmarks.definitions.cifar10:CIFAR10_C", "CIFAR-10-C, the published arrays"
        ),
        "cifar10-c-bar": Row(
            "robustbench_eff.benchmarks.definitions.cifar10:CIFAR10_C_BAR",
            "CIFAR-10-C-bar, the arrays of its authors' script",
        ),
        "cifar10-c-generated": Row(
            "robustbench_eff.benchmarks.definitions.cifar10:CIFAR10_C_GENERATED",
            "CIFAR-10-C, generated from cifar10 on the fly",
        ),
        "cifar10-p": Row(
            "robustbench_eff.benchmarks.definitions.cifar10:CIFAR10_P", "CIFAR-10-P, the published arrays"
        ),
        "cifar10-p-generated": Row(
            "robustbench_eff.benchmarks.definitions.cifar10:CIFAR10_P_GENERATED",
            "CIFAR-10-P, generated from cifar10 on the fly",
        ),
        "cifar100": Row(
            "robustbench_eff.benchmarks.definitions.cifar100:CIFAR100", "CIFAR-100 test, 10,000 images, fine classes"
        ),
        "cifar100-c": Row(
            "robustbench_eff.benchmarks.definitions.cifar100:CIFAR100_C", "CIFAR-100-C, the published arrays"
        ),
        "cifar100-c-generated": Row(
            "robustbench_eff.benchmarks.definitions.cifar100:CIFAR100_C_GENERATED",
            "CIFAR-100-C, generated from cifar100 on the fly",
        ),
        "cifar100-p": Row(
            "robustbench_eff.benchmarks.definitions.cifar100:CIFAR100_P", "CIFAR-100-P, the published arrays"
        ),
        "cue-conflict": Row(
            "robustbench_eff.benchmarks.definitions.cue_conflict:CUE_CONFLICT",
            "shape against texture, 16 categories by mean probability",
        ),
        "cue-conflict-max": Row(
            "robustbench_eff.benchmarks.definitions.cue_conflict:CUE_CONFLICT_MAX",
            "the same, a category by its best class",
        ),
        "dermamnist": Row("robustbench_eff.benchmarks.definitions.medmnist:DERMAMNIST", "DermaMNIST, test images"),
        "dermamnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:DERMAMNIST_C",
            "DermaMNIST-C of MedMNIST-C, the published archives",
        ),
        "digits": Row(
            "robustbench_eff.benchmarks.definitions.digits:DIGITS", "handwritten digits, 360 images, no download"
        ),
        "digits-cue-conflict": Row(
            "robustbench_eff.benchmarks.definitions.digits:DIGITS_CUE_CONFLICT",
            "digits with the texture of others, by random phases",
        ),
        "digits-cue-conflict-fourier": Row(
            "robustbench_eff.benchmarks.definitions.digits:DIGITS_CUE_CONFLICT_FOURIER",
            "the same, by amplitudes of the spectrum",
        ),
        "imagenet": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET", "ImageNet-1k validation, 50,000 images"
        ),
        "imagenet-3dcc": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_3DCC", "ImageNet-3DCC, the published files"
        ),
        "imagenet-a": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_A",
            "ImageNet-A, argmax over its 200 classes",
        ),
        "imagenet-a-1000way": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_A_1000WAY",
            "the same, argmax over all 1,000",
        ),
        "imagenet-a-clean": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_A_CLEAN",
            "imagenet, the 200 classes of ImageNet-A",
        ),
        "imagenet-c": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_C", "ImageNet-C, the published files"
        ),
        "imagenet-c-bar": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_C_BAR", "ImageNet-C-bar, the published files"
        ),
        "imagenet-c-generated": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_C_GENERATED",
            "ImageNet-C, generated from imagenet on the fly",
        ),
        "imagenet-p": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_P", "ImageNet-P, the published videos"
        ),
        "imagenet-p-generated": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_P_GENERATED",
            "ImageNet-P, generated from imagenet on the fly",
        ),
        "imagenet-r": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_R",
            "ImageNet-R, argmax over its 200 classes",
        ),
        "imagenet-r-1000way": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_R_1000WAY",
            "the same, argmax over all 1,000",
        ),
        "imagenet-r-clean": Row(
            "robustbench_eff.benchmarks.definitions.imagenet_subsets:IMAGENET_R_CLEAN",
            "imagenet, the 200 classes of ImageNet-R",
        ),
        "imagenet-sketch": Row("robustbench_eff.benchmarks.definitions.imagenet:IMAGENET_SKETCH", "ImageNet-Sketch"),
        "imagenetv2-matched-frequency": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENETV2_MATCHED_FREQUENCY",
            "ImageNet-V2, the usual variant",
        ),
        "imagenetv2-threshold-0.7": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENETV2_THRESHOLD",
            "ImageNet-V2, selected by at least 70 %",
        ),
        "imagenetv2-top-images": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:IMAGENETV2_TOP_IMAGES", "ImageNet-V2, selected most often"
        ),
        "objectnet": Row(
            "robustbench_eff.benchmarks.definitions.objectnet:OBJECTNET",
            "ObjectNet, argmax over the 125 outputs of its 113 classes",
        ),
        "objectnet-1000way": Row(
            "robustbench_eff.benchmarks.definitions.objectnet:OBJECTNET_1000WAY", "the same, argmax over all 1,000"
        ),
        "objectnet-clean": Row(
            "robustbench_eff.benchmarks.definitions.objectnet:OBJECTNET_CLEAN", "imagenet, the 113 classes of ObjectNet"
        ),
        "octmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:OCTMNIST", "OCTMNIST, test images"),
        "octmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:OCTMNIST_C",
            "OCTMNIST-C of MedMNIST-C, the published archives",
        ),
        "organamnist": Row("robustbench_eff.benchmarks.definitions.medmnist:ORGANAMNIST", "OrganAMNIST, test images"),
        "organamnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:ORGANAMNIST_C",
            "OrganAMNIST-C of MedMNIST-C, the published archives",
        ),
        "organcmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:ORGANCMNIST", "OrganCMNIST, test images"),
        "organcmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:ORGANCMNIST_C",
            "OrganCMNIST-C of MedMNIST-C, the published archives",
        ),
        "organsmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:ORGANSMNIST", "OrganSMNIST, test images"),
        "organsmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:ORGANSMNIST_C",
            "OrganSMNIST-C of MedMNIST-C, the published archives",
        ),
        "pathmnist": Row("robustbench_eff.benchmarks.definitions.medmnist:PATHMNIST", "PathMNIST, test images"),
        "pathmnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:PATHMNIST_C",
            "PathMNIST-C of MedMNIST-C, the published archives",
        ),
        "pneumoniamnist": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:PNEUMONIAMNIST", "PneumoniaMNIST, test images"
        ),
        "pneumoniamnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:PNEUMONIAMNIST_C",
            "PneumoniaMNIST-C of MedMNIST-C, the published archives",
        ),
        "retinamnist": Row("robustbench_eff.benchmarks.definitions.medmnist:RETINAMNIST", "RetinaMNIST, test images"),
        "retinamnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:RETINAMNIST_C",
            "RetinaMNIST-C of MedMNIST-C, the published archives",
        ),
        "stylized-imagenet": Row(
            "robustbench_eff.benchmarks.definitions.imagenet:STYLIZED_IMAGENET", "Stylized-ImageNet"
        ),
        "tiny-imagenet": Row(
            "robustbench_eff.benchmarks.definitions.tiny_imagenet:TINY_IMAGENET",
            "Tiny-ImageNet validation, 10,000 images",
        ),
        "tiny-imagenet-c": Row(
            "robustbench_eff.benchmarks.definitions.tiny_imagenet:TINY_IMAGENET_C",
            "Tiny-ImageNet-C, the published files",
        ),
        "tissuemnist": Row("robustbench_eff.benchmarks.definitions.medmnist:TISSUEMNIST", "TissueMNIST, test images"),
        "tissuemnist-c": Row(
            "robustbench_eff.benchmarks.definitions.medmnist:TISSUEMNIST_C",
            "TissueMNIST-C of MedMNIST-C, the published archives",
        ),
    },
    needs=("label_space", "source_benchmark", "layout", "num_classes"),
)


SCORED_WITH: Mapping[str, str] = {"imagenet-real": "imagenet"}
"""Names of other labels for a benchmark's images, which are scored together with that benchmark."""
