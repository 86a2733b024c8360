"""What there is, by name: attacks, corruptions, sequences, stylisers, defenses.

A row names its object by import path, so that listing the tables imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .benchmark_table import Row

ATTACKS: Mapping[str, Row] = {
    "apgd": Row("robustbench_eff.attacks.apgd:APGD", "step size that halves itself; CE or DLR (Croce & Hein 2020)"),
    "apgd_t": Row("robustbench_eff.attacks.apgd_t:APGDT", "APGD on targeted DLR, 9 targets (Croce & Hein 2020)"),
    "autoattack": Row(
        "robustbench_eff.attacks.autoattack:AutoAttack", "standard, plus or rand ensemble (Croce & Hein 2020)"
    ),
    "bim": Row("robustbench_eff.attacks.bim:BIM", "PGD without a random start (Kurakin et al. 2017)"),
    "carlini_wagner": Row(
        "robustbench_eff.attacks.carlini_wagner:CarliniWagner", "nearest image in L2 (Carlini & Wagner 2017)"
    ),
    "fab": Row("robustbench_eff.attacks.fab:FAB", "nearest image, untargeted (Croce & Hein 2020)"),
    "fab_t": Row("robustbench_eff.attacks.fab_t:FABT", "nearest image, 9 targets (Croce & Hein 2020)"),
    "fgsm": Row("robustbench_eff.attacks.fgsm:FGSM", "one step along the gradient (Goodfellow et al. 2015)"),
    "fmn": Row("robustbench_eff.attacks.fmn:FMN", "nearest image, fast (Pintor et al. 2021)"),
    "mi_fgsm": Row("robustbench_eff.attacks.mi_fgsm:MIFGSM", "gradient steps with momentum (Dong et al. 2018)"),
    "one_pixel": Row(
        "robustbench_eff.attacks.one_pixel:OnePixel", "differential evolution of a few pixels (Su et al. 2019)"
    ),
    "pgd": Row("robustbench_eff.attacks.pgd:PGD", "projected gradient descent (Madry et al. 2018)"),
    "r_fgsm": Row(
        "robustbench_eff.attacks.r_fgsm:RFGSM", "FGSM from a random start (Tramèr et al. 2018, Wong et al. 2020)"
    ),
    "security_curve": Row(
        "robustbench_eff.attacks.security_curve:SecurityCurve", "accuracy against ε in one warm-started sweep"
    ),
    "square": Row("robustbench_eff.attacks.square:Square", "random search, no gradients (Andriushchenko et al. 2020)"),
}

ADAPTERS: Mapping[str, Row] = {
    "autoattack": Row(
        "robustbench_eff.attacks.pyautoattack_adapter:PyAutoAttack", "the authors' own: autoattack:standard"
    ),
    "foolbox": Row(
        "robustbench_eff.attacks.foolbox_adapter:FoolboxAttack", "any of Foolbox: foolbox:LinfPGD(eps=4/255)"
    ),
}
"""Attacks of other libraries, written PREFIX:NAME; what is no field of the adapter goes to the attack itself."""

CORRUPTIONS: Mapping[str, Row] = {
    "gaussian_noise": Row("robustbench_eff.corruptions.gaussian_noise:GAUSSIAN_NOISE", "normal draws added"),
    "shot_noise": Row("robustbench_eff.corruptions.shot_noise:SHOT_NOISE", "Poisson counts of photons"),
    "impulse_noise": Row("robustbench_eff.corruptions.impulse_noise:IMPULSE_NOISE", "values become black or white"),
    "defocus_blur": Row("robustbench_eff.corruptions.defocus_blur:DEFOCUS_BLUR", "every pixel becomes a disk"),
    "glass_blur": Row("robustbench_eff.corruptions.glass_blur:GLASS_BLUR", "pixels copied from near places"),
    "motion_blur": Row("robustbench_eff.corruptions.motion_blur:MOTION_BLUR", "smeared along a line"),
    "zoom_blur": Row("robustbench_eff.corruptions.zoom_blur:ZOOM_BLUR", "mean of magnified images"),
    "snow": Row("robustbench_eff.corruptions.snow:SNOW", "flakes smeared by the wind"),
    "frost": Row("robustbench_eff.corruptions.frost:FROST", "a picture of ice mixed in"),
    "fog": Row("robustbench_eff.corruptions.fog:FOG", "a plasma fractal added"),
    "brightness": Row("robustbench_eff.corruptions.brightness:BRIGHTNESS", "value of HSV raised"),
    "contrast": Row("robustbench_eff.corruptions.contrast:CONTRAST", "moved towards the mean"),
    "elastic_transform": Row(
        "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM", "pixels moved by a smooth field"
    ),
    "pixelate": Row("robustbench_eff.corruptions.pixelate:PIXELATE", "made small and large again"),
    "jpeg_compression": Row(
        "robustbench_eff.corruptions.jpeg_compression:JPEG_COMPRESSION", "a JPEG file of low quality"
    ),
    "speckle_noise": Row("robustbench_eff.corruptions.speckle_noise:SPECKLE_NOISE", "multiplied by normal draws"),
    "gaussian_blur": Row("robustbench_eff.corruptions.gaussian_blur:GAUSSIAN_BLUR", "Gaussian filter"),
    "spatter": Row("robustbench_eff.corruptions.spatter:SPATTER", "drops of water or mud"),
    "saturate": Row("robustbench_eff.corruptions.saturate:SATURATE", "saturation of HSV changed"),
    "snow_imagecorruptions": Row(
        "robustbench_eff.corruptions.snow:SNOW_IMAGECORRUPTIONS", "snow as imagecorruptions 1.1.2 has it"
    ),
    "elastic_transform_imagecorruptions": Row(
        "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM_IMAGECORRUPTIONS",
        "elastic_transform as imagecorruptions 1.1.2 has it",
    ),
    "frost_imagecorruptions": Row(
        "robustbench_eff.corruptions.frost:FROST_IMAGECORRUPTIONS", "frost as imagecorruptions 1.1.2 has it"
    ),
    "frost_published": Row(
        "robustbench_eff.corruptions.frost:FROST_PUBLISHED", "frost with the published pictures, which you bring"
    ),
    "caustic_refraction": Row(
        "robustbench_eff.corruptions.caustic_refraction:CAUSTIC_REFRACTION", "light bent by waves of water"
    ),
    "inverse_sparkles": Row(
        "robustbench_eff.corruptions.inverse_sparkles:INVERSE_SPARKLES", "dark but around a glowing star"
    ),
    "sparkles": Row("robustbench_eff.corruptions.sparkles:SPARKLES", "glowing stars"),
    "perlin_noise": Row("robustbench_eff.corruptions.perlin_noise:PERLIN_NOISE", "gradient noise of several octaves"),
    "blue_noise_sample": Row(
        "robustbench_eff.corruptions.blue_noise_sample:BLUE_NOISE_SAMPLE", "noise of high frequencies"
    ),
    "plasma_noise": Row("robustbench_eff.corruptions.plasma_noise:PLASMA_NOISE", "a plasma fractal in colours"),
    "checkerboard_cutout": Row(
        "robustbench_eff.corruptions.checkerboard_cutout:CHECKERBOARD_CUTOUT", "every other tile grey"
    ),
    "cocentric_sine_waves": Row(
        "robustbench_eff.corruptions.cocentric_sine_waves:COCENTRIC_SINE_WAVES", "rings of a sine wave"
    ),
    "single_frequency_greyscale": Row(
        "robustbench_eff.corruptions.single_frequency_greyscale:SINGLE_FREQUENCY_GREYSCALE", "a wave of one frequency"
    ),
    "brownish_noise": Row("robustbench_eff.corruptions.brownish_noise:BROWNISH_NOISE", "noise of low frequencies"),
    "pinch_and_twirl": Row(
        "robustbench_eff.corruptions.pinch_and_twirl:PINCH_AND_TWIRL", "pinched and twirled in places"
    ),
    "ripple": Row("robustbench_eff.corruptions.ripple:RIPPLE", "pixels moved by waves"),
    "circular_motion_blur": Row(
        "robustbench_eff.corruptions.circular_motion_blur:CIRCULAR_MOTION_BLUR", "smeared around the centre"
    ),
    "lines": Row("robustbench_eff.corruptions.lines:LINES", "displaced along lines"),
    "transverse_chromatic_abberation": Row(
        "robustbench_eff.corruptions.transverse_chromatic_abberation:TRANSVERSE_CHROMATIC_ABBERATION",
        "colours magnified differently",
    ),
}
"""The 15 of ImageNet-C in its order, its 4 extra ones, other variants of three of them; then the 10 of
ImageNet-C-bar and 5 that only CIFAR-10-C-bar has."""

IMAGENET_C = tuple(CORRUPTIONS)[:19]
IMAGENET_C_BAR = tuple(CORRUPTIONS)[23:33]
CIFAR10_C_BAR = (
    "blue_noise_sample",
    "brownish_noise",
    "checkerboard_cutout",
    "inverse_sparkles",
    "pinch_and_twirl",
    "ripple",
    "circular_motion_blur",
    "lines",
    "sparkles",
    "transverse_chromatic_abberation",
)


_FILMED = "robustbench_eff.corruptions.sequences"
SEQUENCES: Mapping[str, Row] = {
    "gaussian_noise_sequence": Row(
        "robustbench_eff.corruptions.sequences.gaussian_noise:GAUSSIAN_NOISE", "normal draws added in every frame"
    ),
    "shot_noise_sequence": Row(
        "robustbench_eff.corruptions.sequences.shot_noise:SHOT_NOISE", "Poisson counts in every frame"
    ),
    "motion_blur_sequence": Row(
        "robustbench_eff.corruptions.sequences.motion_blur:MOTION_BLUR", "smeared along a line that turns"
    ),
    "zoom_blur_sequence": Row(
        "robustbench_eff.corruptions.sequences.zoom_blur:ZOOM_BLUR", "mean of more and more magnified pictures"
    ),
    "snow_sequence": Row(f"{_FILMED}.snow:SNOW", "the same flakes in a wind that turns"),
    "brightness_sequence": Row(f"{_FILMED}.brightness:BRIGHTNESS", "value of HSV rises"),
    "translate_sequence": Row(f"{_FILMED}.translate:TRANSLATE", "moves to the right"),
    "rotate_sequence": Row(f"{_FILMED}.rotate:ROTATE", "turns"),
    "tilt_sequence": Row(f"{_FILMED}.tilt:TILT", "seen from one side, then from the other"),
    "scale_sequence": Row(f"{_FILMED}.scale:SCALE", "grows"),
    "speckle_noise_sequence": Row(
        "robustbench_eff.corruptions.sequences.speckle_noise:SPECKLE_NOISE", "multiplied by normal draws in every frame"
    ),
    "gaussian_blur_sequence": Row(
        "robustbench_eff.corruptions.sequences.gaussian_blur:GAUSSIAN_BLUR", "Gaussian filter that widens"
    ),
    "spatter_sequence": Row(f"{_FILMED}.spatter:SPATTER", "drops of water that run down"),
    "shear_sequence": Row(f"{_FILMED}.shear:SHEAR", "leans to one side, then to the other"),
}
"""The 10 of ImageNet-P in its order, then its 4 extra ones."""

IMAGENET_P, IMAGENET_P_EXTRA = tuple(SEQUENCES)[:10], tuple(SEQUENCES)[10:]


def _at_all_severities(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    return tuple(f"{name}(severity={severity}{tail})" for name in names for severity in range(1, 6))


def _at_all_difficulties(names: Iterable[str], constants: str = "imagenet") -> tuple[str, ...]:
    """Noise has three; of the others every difficulty is scored from the same frames."""
    tail = "" if constants == "imagenet" else f", constants={constants!r}"
    pairs = [(name, difficulty) for name in names for difficulty in ((1, 2, 3) if "noise" in name else (1,))]
    return tuple(f"{name}(difficulty={difficulty}{tail})" for name, difficulty in pairs)


SETS: Mapping[str, tuple[str, ...]] = {
    "imagenet_c": _at_all_severities(IMAGENET_C),
    "imagenet_c_bar": _at_all_severities(IMAGENET_C_BAR),
    "cifar10_c": _at_all_severities(IMAGENET_C, "cifar10"),
    "cifar10_c_bar": _at_all_severities(CIFAR10_C_BAR, "cifar10"),
    "imagenet_p": _at_all_difficulties(IMAGENET_P),
    "imagenet_p_extra": _at_all_difficulties(IMAGENET_P_EXTRA),
    "cifar10_p": _at_all_difficulties(SEQUENCES, "cifar10"),
}
"""Words that stand for many perturbations."""

STYLISERS: Mapping[str, Row] = {
    "adain": Row(
        "robustbench_eff.corruptions.stylise_adain:AdaIN",
        "statistics of VGG features, with weights you bring (Huang & Belongie 2017)",
    ),
    "colour": Row("robustbench_eff.corruptions.stylise_colour:Colour", "mean and spread of colours (Reinhard 2001)"),
    "fourier": Row(
        "robustbench_eff.corruptions.stylise_fourier:Fourier",
        "amplitudes of the spectrum (Chen et al. 2021, Yang & Soatto 2020)",
    ),
    "random_phase": Row(
        "robustbench_eff.corruptions.stylise_random_phase:RandomPhase",
        "texture of random phases (after Galerne et al. 2011)",
    ),
}
WITHOUT_WEIGHTS = ("random_phase", "fourier", "colour")
"""Stylisers that need no file."""
CONFLICT_BY = "random_phase(scale=0.02)"
"""What gives cue-conflict images their texture, unless another is named."""

DEFENSES: Mapping[str, Row] = {
    "advprop": Row(
        "robustbench_eff.defenses.advprop:AdvProp", "adversarial images with batch norms of their own (Xie et al. 2020)"
    ),
    "augmix": Row("robustbench_eff.defenses.augmix:AugMix", "mixed chains, consistent (Hendrycks et al. 2020)"),
    "autoaugment": Row("robustbench_eff.defenses.auto_augment:AutoAugment", "learned policies (Cubuk et al. 2019)"),
    "cutmix": Row("robustbench_eff.defenses.cutmix:CutMix", "rectangles of other images (Yun et al. 2019)"),
    "debiased": Row(
        "robustbench_eff.defenses.debiased:Debiased", "images with the texture of others, two labels (Li et al. 2021)"
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
        "robustbench_eff.defenses.noisy_student:NoisyStudent", "a teacher's labels, a noised student (Xie et al. 2020)"
    ),
    "pgd_at": Row(
        "robustbench_eff.defenses.adversarial:AdversarialTraining", "PGD adversarial training (Madry et al. 2018)"
    ),
    "randaugment": Row("robustbench_eff.defenses.rand_augment:RandAugment", "random operations (Cubuk et al. 2020)"),
    "sat": Row(
        "robustbench_eff.defenses.sat:SmoothAdversarialTraining",
        "adversarial training without ReLU (Xie et al. 2020)",
    ),
    "standard": Row("robustbench_eff.defenses.standard:Standard", "plain training with a bag of tricks"),
    "tampering": Row(
        "robustbench_eff.defenses.tampering:Tampering", "softmax gradients of other probabilities (Das et al. 2021)"
    ),
    "trades": Row("robustbench_eff.defenses.trades:Trades", "consistent around clean images (Zhang et al. 2019)"),
}
