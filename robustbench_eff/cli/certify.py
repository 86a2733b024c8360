"""`robust-eval certify`: certified accuracy by randomised smoothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from robustbench_eff.core import spec
from robustbench_eff.core.errors import SpecError, UsageError
from robustbench_eff.evaluation.settings import DEFAULT_STORE

from .common import error_boundary
from .gate import parse_gate
from .options import (
    AcceptDoubtedOption,
    BatchSizeOption,
    BenchmarkOption,
    ClassMapOption,
    ClassOrderOption,
    DataOption,
    DeviceOption,
    DownloadOption,
    EngineOption,
    GeometryOption,
    InputSizeOption,
    JsonOption,
    JunitOption,
    LimitOption,
    LogOption,
    MeanOption,
    ModelArgOption,
    ModelOption,
    ModelsFileOption,
    NameOption,
    NumClassesOption,
    QuietOption,
    RadiiOption,
    RandomWeightsOption,
    RayAddressOption,
    RequireOption,
    SampleOption,
    SeedOption,
    ShardSizeOption,
    SkipMissingOption,
    StdOption,
    StoreOption,
    SummaryOption,
    TrustCodeOption,
    TrustOption,
    WeightsOption,
    WorkersOption,
    parse_run_options,
)


def certify(
    context: typer.Context,
    model: ModelOption = None,
    name: NameOption = None,
    models: ModelsFileOption = None,
    sigma: Annotated[
        list[str] | None,
        typer.Option(help="Standard deviation of the noise in units of [0, 1] pixels, such as 0.25; may be repeated."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Draws that bound the probability of the predicted class.")] = 100_000,
    n0: Annotated[int, typer.Option("--n0", help="Draws that select the predicted class.")] = 100,
    alpha: Annotated[float, typer.Option(help="Probability with which a certificate may be wrong.")] = 0.001,
    radii: RadiiOption = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="Also attack the smoothed classifier, such as with 'pgd(eps=0.5, norm=l2, steps=20)'; may be repeated."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws over which each query of an attack averages.")] = 32,
    benchmark: BenchmarkOption = None,
    data: DataOption = None,
    download: DownloadOption = False,
    class_order: ClassOrderOption = None,
    class_map: ClassMapOption = None,
    weights: WeightsOption = None,
    trust_checkpoint: TrustOption = False,
    trust_code: TrustCodeOption = False,
    random_weights: RandomWeightsOption = False,
    num_classes: NumClassesOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    input_size: InputSizeOption = None,
    geometry: GeometryOption = None,
    model_arg: ModelArgOption = None,
    limit: LimitOption = None,
    sample: SampleOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    ray_address: RayAddressOption = None,
    batch_size: BatchSizeOption = "auto",
    shard_size: ShardSizeOption = None,
    seed: SeedOption = 0,
    store: StoreOption = DEFAULT_STORE,
    skip_missing: SkipMissingOption = False,
    require: RequireOption = None,
    accept_doubted: AcceptDoubtedOption = False,
    junit: JunitOption = None,
    summary: SummaryOption = None,
    log: LogOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Certify L2 radii by randomised smoothing (Cohen et al. 2019): certified accuracy, mean radius, abstentions."""
    with error_boundary():
        from robustbench_eff.evaluation.certify import smoothing_texts
        from robustbench_eff.models.smoothing import Smoothing

        from .main import run_and_print

        if not sigma:
            raise UsageError("--sigma is missing.", "Choose that of the network's training, such as --sigma 0.25.")
        noises = [Smoothing(sigma=_number(text), n=n, n0=n0, alpha=alpha, draws=draws) for text in sigma]
        attacks = [part for text in attack or () for part in spec.split(text)]
        texts = [text for noise in noises for text in smoothing_texts(noise, attacks)]
        run = parse_run_options({**context.params, "attack": None, "precision": "float32"})
        gate = parse_gate(context.params, [run.settings.store])
        settings = replace(run.settings, attacks=tuple(texts))
        run_and_print(run._replace(settings=settings), gate, as_json=as_json, quiet=quiet)


def _number(text: str) -> float:
    try:
        return spec.number(text)
    except SpecError as error:
        raise UsageError(f"--sigma must be a number, got {text!r}.", "For example 0.25 or 64/255.") from error
