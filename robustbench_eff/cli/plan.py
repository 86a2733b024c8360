"""`robust-eval plan`: what a run would do, how long it would take and what it would cost."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from robustbench_eff.evaluation.settings import DEFAULT_STORE
from robustbench_eff.reports import cost_table, progress

from .common import error_boundary, errors, output
from .options import (
    AlexNetOption,
    AttackOption,
    BatchSizeOption,
    BenchmarkOption,
    CompileOption,
    CorruptionOption,
    DataOption,
    DeviceOption,
    EngineOption,
    GeometryOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    ModelOption,
    NumClassesOption,
    PrecisionOption,
    RayAddressOption,
    SeedOption,
    ShardSizeOption,
    ShuffleOption,
    SkipMissingOption,
    StdOption,
    StoreOption,
    SuiteOption,
    TargetCiOption,
    TrustOption,
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
    suite: SuiteOption = "standard",
    benchmark: BenchmarkOption = None,
    attack: AttackOption = None,
    corruption: CorruptionOption = None,
    data: DataOption = None,
    weights: WeightsOption = None,
    trust_checkpoint: TrustOption = False,
    num_classes: NumClassesOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    input_size: InputSizeOption = None,
    geometry: GeometryOption = None,
    model_arg: ModelArgOption = None,
    limit: LimitOption = None,
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
    store: StoreOption = DEFAULT_STORE,
    alexnet_baseline: AlexNetOption = None,
    skip_missing: SkipMissingOption = False,
    price: Annotated[float | None, typer.Option(help="Price of an hour of one device, in any currency.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate the cells, shards, passes, time and cost of a run after a short trial; nothing is stored."""
    with error_boundary():
        run = parse_run_options(context.params)
        from robustbench_eff.evaluation.cost_estimate import estimate_cost
        from robustbench_eff.system import devices

        devices.keep_freed_memory()
        display = progress.Display(errors(), quiet=as_json)
        with redirect_stdout(sys.stderr):  # the user's model may print; stdout is for the result
            forecasts = estimate_cost(*run.models, settings=run.settings, preparing=display.preparing)
        if as_json:
            print(json.dumps({"devices": cost_table.plan_rows(forecasts, price)}, ensure_ascii=False))
            return
        for printed in cost_table.plan_tables(forecasts, price):
            output().print(printed.table)
            output().print(printed.below, highlight=False, markup=False, soft_wrap=True)
        output().print(LEGEND, style="dim", markup=False, highlight=False, soft_wrap=True)
