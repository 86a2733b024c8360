"""`robust-eval plan`: what a run would do, how long it would take and what it would cost."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from robustbench_eff.evaluation.settings import DEFAULT_STORE
from robustbench_eff.reports import progress

from .common import error_boundary, error_console, output_console
from .options import (
    AdaptOption,
    AlexNetOption,
    AttackOption,
    BatchSizeOption,
    BenchmarkOption,
    ClassMapOption,
    ClassOrderOption,
    CompileOption,
    CorruptionOption,
    DataOption,
    DeviceOption,
    DownloadOption,
    EngineOption,
    GeometryOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    ModelOption,
    ModelsFileOption,
    NameOption,
    NumClassesOption,
    PrecisionOption,
    RandomWeightsOption,
    RayAddressOption,
    RunOptions,
    SampleOption,
    SeedOption,
    ShardSizeOption,
    ShuffleOption,
    SkipMissingOption,
    StdOption,
    StoreOption,
    SuiteOption,
    TargetCiOption,
    TrustCodeOption,
    TrustOption,
    VotesOption,
    WeightsOption,
    WorkersOption,
    parse_run_options,
)

LEGEND = (
    "Measured: timed on some samples. From the store: from the passes that stored samples took. At most: from the "
    "largest number of passes of the attack; samples that are misclassified early take far fewer."
)


def plan(
    context: typer.Context,
    model: ModelOption = None,
    name: NameOption = None,
    models: ModelsFileOption = None,
    suite: SuiteOption = "standard",
    benchmark: BenchmarkOption = None,
    attack: AttackOption = None,
    corruption: CorruptionOption = None,
    adapt: AdaptOption = None,
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
    precision: PrecisionOption = "auto",
    compile_model: CompileOption = False,
    seed: SeedOption = 0,
    shuffle_shards: ShuffleOption = False,
    target_ci: TargetCiOption = None,
    votes: VotesOption = None,
    store: StoreOption = DEFAULT_STORE,
    alexnet_baseline: AlexNetOption = None,
    skip_missing: SkipMissingOption = False,
    price: Annotated[float | None, typer.Option(help="Price of one device per hour, in any currency.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the cells, shards, passes, time and cost of a run after a short trial; nothing is stored."""
    with error_boundary():
        _plan(parse_run_options(context.params), price, as_json=as_json)


def _plan(run: RunOptions, price: float | None, *, as_json: bool) -> None:
    from robustbench_eff.evaluation.cost_estimate import estimate_cost
    from robustbench_eff.reports import cost_table
    from robustbench_eff.reports.prose import print_prose
    from robustbench_eff.system import devices

    devices.keep_freed_memory()
    display = progress.Display(error_console(), quiet=as_json)
    with redirect_stdout(sys.stderr):  # the user's model may print; stdout is for the result
        forecasts = estimate_cost(*run.models, settings=run.settings, preparing=display.preparing)
    if as_json:
        print(json.dumps({"devices": cost_table.plan_rows(forecasts, price)}))
        return
    for forecast in cost_table.plan_tables(forecasts, price):
        output_console().print(forecast.table)
        print_prose(forecast.below, output_console())
    print_prose(LEGEND, output_console(), "dim")
