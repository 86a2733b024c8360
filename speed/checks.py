"""Measure the share of a run that goes into the checks of its model: python speed/checks.py --weights FILE --data PATH

The time of every function in `CHECKS` is added up inside one run of a suite, with the time of a check that another one
calls counted once. The run includes loading the model and the images. With `--weights` and `--data` it is the suite
`standard` on ResNet-20 and the first 1,000 images of CIFAR-10, without them on the shipped digits network.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import record
from robustbench_eff import evaluate
from robustbench_eff.models.request import ModelRequest
from robustbench_eff.system import devices

CHECKS = (
    "robustbench_eff.models.classifier:model_digest",
    "robustbench_eff.models.classifier:copy_for_trial",
    "robustbench_eff.models.classifier:prepare_network",
    "robustbench_eff.models.classifier:draws_at_random",
    "robustbench_eff.models.classifier:Classifier.check_mode",
    "robustbench_eff.models.classifier:Classifier.check_weights",
    "robustbench_eff.models.unloaded_weights:accounted_for",
    "robustbench_eff.evaluation.answers:ModelAnswers.ask",
    "robustbench_eff.evaluation.recognise:recognised",
    "robustbench_eff.evaluation.referee:check_batch",
    "robustbench_eff.evaluation.referee:has_nondeterministic_logits",
    "robustbench_eff.scores.masking_checks:store_verdicts",
)
"""Functions that check a model, its answers or its numbers, as `module:name` or `module:CLASS.method`."""


@dataclass
class Stopwatch:
    """Seconds and calls of each check; safe to use from several threads."""

    device: str
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds in each check, those in checks that it calls left out."""
    calls: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stack: threading.local = field(default_factory=threading.local)
    """For every check that is running in this thread, the seconds in the checks that it called."""

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and records its time.

        Args:
            name: Name under which the time is recorded.
            function: The check.
        """

        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            inner: list[float] = self._stack.__dict__.setdefault("inner", [])
            began = self._now()
            inner.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                whole, called = self._now() - began, inner.pop()
                if inner:
                    inner[-1] += whole
                with self._lock:
                    self.seconds[name] = self.seconds.get(name, 0.0) + whole - called
                    self.calls[name] = self.calls.get(name, 0) + 1

        return measured

    def _now(self) -> float:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()


def main() -> None:
    """Measure and print; JSON with --out."""
    arguments = _arguments()
    devices.keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    watch = Stopwatch(arguments.device)
    for place in arguments.check or CHECKS:
        watch_over(place, watch)
    seconds = _run(arguments)
    share = sum(watch.seconds.values()) / seconds
    rows = [
        {"check": place.partition(":")[2], "calls": watch.calls[place], "seconds": round(spent, 4)}
        for place, spent in sorted(watch.seconds.items(), key=lambda item: -item[1])
    ]
    for row in rows:
        print(f"{row['check']:44} {row['calls']:6} calls {row['seconds']:9.4f} s")
    print(f"checks {sum(watch.seconds.values()):.2f} s of {seconds:.1f} s: {share:.2%}")
    if arguments.out is not None:
        facts = devices.describe(arguments.device) | {"threads": arguments.threads, "limit": arguments.limit}
        facts |= {"model": Path(_model(arguments).name).name, "suite": arguments.suite, "seconds": round(seconds, 2)}
        record.write(arguments.out, facts | {"share": round(share, 5), "rows": rows})


def watch_over(place: str, watch: Stopwatch) -> None:
    """Replace a function with a timed one, wherever this package has imported it.

    Args:
        place: `module:name` or `module:CLASS.method`.
        watch: Records the time.
    """
    module_name, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module_name))
    function = getattr(owner, name)
    timed = watch.timed(place, function)
    setattr(owner, name, timed)
    modules = [module for key, module in sys.modules.items() if key.startswith("robustbench_eff")]
    for module in modules if not owners else ():
        for key, value in list(vars(module).items()):
            if value is function:
                setattr(module, key, timed)


def _run(arguments: argparse.Namespace) -> float:
    """Return the seconds of the run."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        evaluate(
            _model(arguments),
            benchmarks=["digits" if arguments.data is None else "cifar10"],
            data={} if arguments.data is None else {"cifar10": arguments.data},
            suite=arguments.suite,
            limit=arguments.limit,
            device=arguments.device,
            store=f"{folder}/store",
        )
        return time.perf_counter() - began


def _model(arguments: argparse.Namespace) -> ModelRequest:
    if arguments.weights is None:
        return ModelRequest(name="digits_standard")
    return ModelRequest(
        name=f"{Path(__file__).with_name('networks.py')}:resnet20",
        weights=arguments.weights,
        input_size=32,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="akamaster/pytorch_resnet_cifar10's weights of ResNet-20")
    parser.add_argument("--data", help="images of CIFAR-10, as for --data cifar10=PATH")
    parser.add_argument("--suite", default="standard")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--check", action="append", help="module:name of a check, in place of all in CHECKS; repeat it")
    record.add_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
