"""The table of defenses."""

from __future__ import annotations

from .table import Row, Table

DEFENSES = Table(
    "defense",
    "robustbench_eff.defenses",
    {
        "advprop": Row(
            "robustbench_eff.defenses.advprop:AdvProp",
            "adversarial images with batch norms of their own (Xie et al. 2020)",
        ),
        "augmix": Row("robustbench_eff.defenses.augmix:AugMix", "mixed chains, consistent (Hendrycks et al. 2020)"),
        "autoaugment": Row("robustbench_eff.defenses.auto_augment:AutoAugment", "learned policies (Cubuk et al. 2019)"),
        "cutmix": Row("robustbench_eff.defenses.cutmix:CutMix", "rectangles of other images (Yun et al. 2019)"),
        "debiased": Row(
            "robustbench_eff.defenses.debiased:Debiased",
            "images with the texture of others, two labels (Li et al. 2021)",
        ),
        "distillation": Row(
            "robustbench_eff.defenses.distillation:Distillation", "a teacher's soft predictions (Hinton et al. 2015)"
        ),
        "fast": Row("robustbench_eff.defenses.fast:Fast", "one step from a random start (Wong et al. 2020)"),
        "fast_advprop": Row(
            "robustbench_eff.defenses.fast_advprop:FastAdvProp", "AdvProp on a fifth of the images (Mei et al. 2022)"
        ),
        "free": Row("robustbench_eff.defenses.free:Free", "every backward pass used twice (Shafahi et al. 2019)"),
        "mixup": Row("robustbench_eff.defenses.mixup:Mixup", "means of two images (Zhang et al. 2018)"),
        "noisy_student": Row(
            "robustbench_eff.defenses.noisy_student:NoisyStudent",
            "a teacher's labels, a noised student (Xie et al. 2020)",
        ),
        "pgd_at": Row(
            "robustbench_eff.defenses.adversarial:AdversarialTraining", "PGD adversarial training (Madry et al. 2018)"
        ),
        "randaugment": Row(
            "robustbench_eff.defenses.rand_augment:RandAugment", "random operations (Cubuk et al. 2020)"
        ),
        "sat": Row(
            "robustbench_eff.defenses.sat:SmoothAdversarialTraining",
            "adversarial training without ReLU (Xie et al. 2020)",
        ),
        "standard": Row("robustbench_eff.defenses.standard:Standard", "plain training with a bag of tricks"),
        "tampering": Row(
            "robustbench_eff.defenses.tampering:Tampering", "softmax gradients of other probabilities (Das et al. 2021)"
        ),
        "trades": Row("robustbench_eff.defenses.trades:Trades", "consistent around clean images (Zhang et al. 2019)"),
    },
    is_class=True,
    needs=("__dataclass_fields__",),
)
