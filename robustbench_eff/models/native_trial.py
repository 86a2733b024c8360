"""A file that a native library reads is first loaded in a process of its own, which may die.

A damaged file can make such a library crash, compute without end or fill the memory, which no exception reports.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any

from robustbench_eff.core.errors import ModelError

MAX_SECONDS = 120
"""Time that loading a network and computing one batch may take."""
MAX_MEMORY_BYTES, TIMES_ITS_SIZE = 8 * 2**30, 16
"""Memory that this may take, and how many times the size of the file in addition."""


def check_survives(content: bytes, library: str, name: str) -> None:
    """Load a network in a process of its own, and compute one batch.

    What the library itself refuses is left to the caller.

    Args:
        content: The network.
        library: `onnxruntime` or `ai-edge-litert`.
        name: Name of the network, for messages.

    Raises:
        ModelError: The process died, or did not end.
    """
    command = [sys.executable, "-P", "-m", __name__, library]
    try:
        ended = subprocess.run(command, input=content, capture_output=True, timeout=MAX_SECONDS, check=False)
        how = f"ends {library} (exit status {ended.returncode})" if not 0 <= ended.returncode < 256 else ""
    except subprocess.TimeoutExpired:
        how = f"keeps {library} busy for more than {MAX_SECONDS} seconds"
    if how:
        raise ModelError(f"{name} {how}: it is damaged, or too large for this machine.", "Is the file complete?")


def main() -> None:
    """Load the network that standard input holds, and compute one batch of zeros."""
    content = sys.stdin.buffer.read()
    if sys.platform != "win32":
        import resource

        limit = MAX_MEMORY_BYTES + TIMES_ITS_SIZE * len(content)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run = {"onnxruntime": _run_onnx, "ai-edge-litert": _run_tflite}[sys.argv[1]]
    with contextlib.suppress(Exception):  # the process that asks meets the same error, and reports it
        run(content)


def _run_onnx(content: bytes) -> None:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    stated = session.get_inputs()[0]
    if all(isinstance(side, int) for side in stated.shape[1:]):
        batch = [side if isinstance(side, int) else 2 for side in stated.shape]
        kinds: dict[str, Any] = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
        session.run(None, {stated.name: np.zeros(batch, kinds.get(stated.type, np.float32))})


def _run_tflite(content: bytes) -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    stated = interpreter.get_input_details()[0]
    interpreter.set_tensor(stated["index"], np.zeros(stated["shape"], stated["dtype"]))
    interpreter.invoke()
    for output in interpreter.get_output_details():
        interpreter.get_tensor(output["index"])


if __name__ == "__main__":
    main()
