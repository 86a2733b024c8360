"""The table of corruptions."""

from __future__ import annotations

from .table import Row, Table

CORRUPTIONS = Table(
    "corruption",
    "robustbench_eff.corruptions",
    {
        "gaussian_noise": Row("robustbench_eff.corruptions.gaussian_noise:GAUSSIAN_NOISE", "normal draws added"),
        "shot_noise": Row("robustbench_eff.corruptions.shot_noise:SHOT_NOISE", "Poisson counts of photons"),
        "impulse_noise": Row("robustbench_eff.corruptions.impulse_noise:IMPULSE_NOISE", "values become black or white"),
        "defocus_blur": Row("robustbench_eff.corruptions.defocus_blur:DEFOCUS_BLUR", "every pixel becomes a disk"),
        "glass_blur": Row("robustbench_eff.corruptions.glass_blur:GLASS_BLUR", "pixels copied from nearby"),
        "motion_blur": Row("robustbench_eff.corruptions.motion_blur:MOTION_BLUR", "smeared along a line"),
        "zoom_blur": Row("robustbench_eff.corruptions.zoom_blur:ZOOM_BLUR", "mean of magnified images"),
        "snow": Row("robustbench_eff.corruptions.snow:SNOW", "flakes smeared by the wind"),
        "frost": Row("robustbench_eff.corruptions.frost:FROST", "blended with a picture of ice"),
        "fog": Row("robustbench_eff.corruptions.fog:FOG", "a plasma fractal added"),
        "brightness": Row("robustbench_eff.corruptions.brightness:BRIGHTNESS", "HSV value increased"),
        "contrast": Row("robustbench_eff.corruptions.contrast:CONTRAST", "pixels moved towards the mean"),
        "elastic_transform": Row(
            "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM", "pixels moved by a smooth field"
        ),
        "pixelate": Row("robustbench_eff.corruptions.pixelate:PIXELATE", "downsampled and upsampled"),
        "jpeg_compression": Row(
            "robustbench_eff.corruptions.jpeg_compression:JPEG_COMPRESSION", "a JPEG file of low quality"
        ),
        "speckle_noise": Row("robustbench_eff.corruptions.speckle_noise:SPECKLE_NOISE", "multiplied by normal draws"),
        "gaussian_blur": Row("robustbench_eff.corruptions.gaussian_blur:GAUSSIAN_BLUR", "Gaussian filter"),
        "spatter": Row("robustbench_eff.corruptions.spatter:SPATTER", "drops of water or mud"),
        "saturate": Row("robustbench_eff.corruptions.saturate:SATURATE", "HSV saturation changed"),
        "snow_imagecorruptions": Row(
            "robustbench_eff.corruptions.snow:SNOW_IMAGECORRUPTIONS", "snow as in imagecorruptions 1.1.2"
        ),
        "elastic_transform_imagecorruptions": Row(
            "robustbench_eff.corruptions.elastic_transform:ELASTIC_TRANSFORM_IMAGECORRUPTIONS",
            "elastic_transform as in imagecorruptions 1.1.2",
        ),
        "frost_imagecorruptions": Row(
            "robustbench_eff.corruptions.frost:FROST_IMAGECORRUPTIONS", "frost as in imagecorruptions 1.1.2"
        ),
        "frost_published": Row(
            "robustbench_eff.corruptions.frost:FROST_PUBLISHED",
            "frost with the published pictures, which you must provide",
        ),
        "caustic_refraction": Row(
            "robustbench_eff.corruptions.caustic_refraction:CAUSTIC_REFRACTION", "light bent by waves of water"
        ),
        "inverse_sparkles": Row(
            "robustbench_eff.corruptions.inverse_sparkles:INVERSE_SPARKLES", "dark except around a glowing star"
        ),
        "sparkles": Row("robustbench_eff.corruptions.sparkles:SPARKLES", "glowing stars"),
        "perlin_noise": Row(
            "robustbench_eff.corruptions.perlin_noise:PERLIN_NOISE", "gradient noise of several octaves"
        ),
        "blue_noise_sample": Row(
            "robustbench_eff.corruptions.blue_noise_sample:BLUE_NOISE_SAMPLE", "noise of high frequencies"
        ),
        "plasma_noise": Row("robustbench_eff.corruptions.plasma_noise:PLASMA_NOISE", "a plasma fractal in colours"),
        "checkerboard_cutout": Row(
            "robustbench_eff.corruptions.checkerboard_cutout:CHECKERBOARD_CUTOUT", "every other tile gray"
        ),
        "cocentric_sine_waves": Row(
            "robustbench_eff.corruptions.cocentric_sine_waves:COCENTRIC_SINE_WAVES", "rings of a sine wave"
        ),
        "single_frequency_greyscale": Row(
            "robustbench_eff.corruptions.single_frequency_greyscale:SINGLE_FREQUENCY_GREYSCALE",
            "a wave of one frequency",
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
    },
    needs=("__dataclass_fields__", "name"),
)
"""The 15 corruptions of ImageNet-C in its order, its 4 extra ones, and variants of three of them; then the 10 of
ImageNet-C-bar, and 5 that only CIFAR-10-C-bar has."""
