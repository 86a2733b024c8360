"""The operations of a network on images of one size, traced by torch.fx while a probe runs through them.

Python code sees real shapes, except for the number of images, so that branches and arithmetic on shapes are resolved.
A network whose operations depend on the values of its images, or that changes tensors in a way that cannot be followed,
has no trace.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from robustbench_eff.core.types import Images

from .reduced_precision import UNSUPPORTED_MODEL_ERRORS

UNTRACEABLE = (*UNSUPPORTED_MODEL_ERRORS, NameError, NotImplementedError)
"""Errors of forwards that torch.fx cannot trace."""


class UntraceableError(ValueError):
    """A trace would not compute what the network computes."""


class TracedNetwork:
    """The operations of a network in order, and what each of them returned for the probe."""

    def __init__(self, network: nn.Module, probe: Images) -> None:
        """Trace a network.

        Args:
            network: Network in eval mode that maps images to logits. Nothing of it is changed.
            probe: Images of the size to trace, at least two.

        Raises:
            UntraceableError: A module has hooks, which a trace would skip, or a tensor is changed under another name.
        """
        if has_hooks(network):
            raise UntraceableError("it has hooks")
        tracer = _ProbedTracer(probe)
        with torch.no_grad():
            graph = tracer.trace(copy.copy(network))  # fx writes constants to the module that it traces
        self.root: nn.Module = tracer.root
        _follow_writes(graph, tracer)
        self.nodes = [*graph.nodes]
        self.values = {node: tracer.value(node) for node in self.nodes if node.op != "output"}
        """What each operation returned for the probe."""
        self.depends = _dependent(self.nodes)
        """Operations whose result depends on the images."""
        self.input = self.nodes[0]
        calls = [node for node in self.nodes if node.op.startswith("call_") and not node.kwargs]
        self._flat = {
            node for node in calls if not any(isinstance(arg, list | tuple | dict | slice) for arg in node.args)
        }
        """Operations whose arguments are found without a search, which is faster."""
        self._functions = {node: self._function(node) for node in self._flat}

    def run(self, node: fx.Node, results: dict[fx.Node, Any]) -> Any:
        """Return what an operation returns.

        Args:
            node: The operation.
            results: Results of the operations before it that depend on the images.
        """
        if node in self._flat:
            return self._functions[node](*(self._argument(each, results) for each in node.args))
        args, kwargs = fx.node.map_arg(
            (node.args, node.kwargs), lambda arg: results[arg] if arg in self.depends else self.values[arg]
        )
        return _call(self.root, node.op, node.target, args, kwargs)

    def _function(self, node: fx.Node) -> Callable[..., Any]:
        if node.op == "call_module":
            return self.root.get_submodule(str(node.target))
        if callable(node.target):
            return node.target
        name = node.target
        return lambda first, *rest: getattr(first, name)(*rest)

    def _argument(self, argument: Any, results: dict[fx.Node, Any]) -> Any:
        if not isinstance(argument, fx.Node):
            return argument
        return results[argument] if argument in self.depends else self.values[argument]


def has_hooks(network: nn.Module) -> bool:
    """Return whether a call of any module runs hooks.

    Args:
        network: The network.
    """
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind, None) for module in network.modules() for kind in kinds)


def _dependent(nodes: list[fx.Node]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in nodes:
        if node.op == "placeholder" or any(argument in found for argument in node.all_input_nodes):
            found.add(node)
    return found


def _call(root: nn.Module, op: str, target: Any, args: Any, kwargs: Any) -> Any:
    if op == "call_module":
        return root.get_submodule(target)(*args, **kwargs)
    if op == "call_method":
        return getattr(args[0], target)(*args[1:], **kwargs)
    if op == "get_attr":
        for name in target.split("."):
            root = getattr(root, name)
        return root
    return target(*args, **kwargs)


class _ProbedProxy(fx.Proxy):
    """A value of a trace with the shape of the probe's, whose number of images stays open."""

    @property
    def shape(self) -> tuple[Any, ...]:
        value = self._value
        if not value.ndim:
            return ()
        return (self.size(0), *value.shape[1:])

    def size(self, dim: int | None = None) -> Any:
        value = self._value
        if dim is None:
            return self.shape
        if dim % value.ndim:
            return value.shape[dim]
        return self.tracer.create_proxy("call_method", "size", (self, 0), {})

    def dim(self) -> int:
        return self._value.ndim

    @property
    def ndim(self) -> int:
        return self._value.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self._value.dtype

    @property
    def device(self) -> torch.device:
        return self._value.device

    @property
    def _value(self) -> Tensor:
        value: Tensor = self.tracer.value(self.node)  # type: ignore[attr-defined]
        if not isinstance(value, Tensor):
            raise UntraceableError("an attribute of something else than a tensor is used")
        return value


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[_ProbedProxy, Any], Any]:
    """Return the method of a proxy for an augmented assignment, which fx records as if it made a new tensor."""
    return lambda proxy, other: proxy.tracer.create_proxy("call_function", function, (proxy, other), {})


for _name in ("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"):
    setattr(_ProbedProxy, f"__{_name}__", _in_place(getattr(operator, _name)))


class _ProbedTracer(fx.Tracer):
    """Runs every operation on the probe when it is recorded."""

    def __init__(self, probe: Images) -> None:
        super().__init__()
        self.writes: list[fx.Node] = []
        """Operations that change their first argument and return it."""
        self._probe, self._runs = probe.clone(), False
        self._values: dict[fx.Node, Any] = {}

    def value(self, node: fx.Node) -> Any:
        """Return what an operation returned for the probe."""
        if node not in self._values:  # fx makes nodes for parameters and constants without asking for a proxy
            self._values[node] = _call(self.root, node.op, node.target, (), {})
        return self._values[node]

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _ProbedProxy(node, self)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        del attr, parameter_proxy_cache
        return attr_val  # a parameter itself, of which fx makes a node where an operation takes it

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return forward(*args, **kwargs) if self._runs else super().call_module(m, forward, args, kwargs)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> Any:
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        self._values[proxy.node] = self._probe if kind == "placeholder" else self._run(proxy.node)
        return proxy

    def _run(self, node: fx.Node) -> Any:
        given = {argument: self.value(argument) for argument in node.all_input_nodes}
        tensors = [value for value in given.values() if isinstance(value, Tensor)]
        before = [tensor._version for tensor in tensors]
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), given.__getitem__)
        self._runs = True
        try:
            result = _call(self.root, node.op, node.target, args, kwargs)
        finally:
            self._runs = False
        changed = [tensor for tensor, version in zip(tensors, before, strict=True) if tensor._version != version]
        if changed:
            if len(changed) > 1 or changed[0] is not args[0] or result is not args[0]:
                raise UntraceableError("it writes into a tensor under another name")
            self.writes.append(node)
        return result


def _follow_writes(graph: fx.Graph, tracer: _ProbedTracer) -> None:
    """Let operations after one that changes its argument take its result; refuse other names of the same memory."""
    order = {node: number for number, node in enumerate(graph.nodes)}

    def used_later(node: fx.Node, write: fx.Node) -> bool:
        return any(order[user] > order[write] for user in node.users)

    for write in tracer.writes:
        changed = write.args[0]
        assert isinstance(changed, fx.Node)
        changed.replace_all_uses_with(write, lambda user, write=write: order[user] > order[write])  # type: ignore[misc]
        memory = _memory(tracer.value(changed))
        for node in graph.nodes:
            earlier = order[node] < order[write] and node is not changed
            if earlier and _memory(tracer.value(node)) == memory and used_later(node, write):
                raise UntraceableError("it writes into a tensor that has another name")


def _memory(value: Any) -> int | None:
    return value.untyped_storage().data_ptr() if isinstance(value, Tensor) else None
