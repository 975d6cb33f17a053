"""From kernels of ExecuTorch to the hub, by the table for ATen's operators."""
from __future__ import annotations

from typing import Any

from ...errors import CorruptFile, Unsupported, UnsupportedModel, printable
from ...hub.infer import builder
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import Type
from ..torch.machine import Box, Machine
from ..torch.to_onnx import aten
from .container import Call, Places, Program
from .kernels import Kernel, kernels

_NOWHERE = frozenset("memory_format non_blocking sparse_grad dim_order".split())
_PLAIN = {"dim_order_ops::_to_dim_order_copy": "clone",
          "dim_order_ops::_clone_dim_order": "clone"}


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators, or :class:`UnsupportedModel` with all that is in the way."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    program: Program = node.attrs["program"]
    op = builder().at(node)
    env: list[Any] = [Box(Value(v.type, "", data=v)) if isinstance(v, Tensor) else None if isinstance(v, Type) else v
                      for v in program.values]
    inputs = {k: Value(v.type, k) for k, v in raw.inputs.items()}
    for place, v in zip(program.inputs, inputs.values(), strict=True):
        env[place] = Box(v)
    machine = Machine(op, aten)
    for number, call in enumerate(program.calls):
        try:
            _run(machine, program, env, call, f"{call.kernel.rpartition('::')[2]} {number}")
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:  # arguments of the wrong kind
            raise CorruptFile(f"a call of {printable(call.kernel, 80)} that makes no sense: {printable(e, 100)}") from e
        except Unsupported as e:
            e.node = e.node if e.node is not None and e.node.label else Node(call.kernel, (), {}, (), name=str(number))
            raise UnsupportedModel([e], "ONNX") from None
    outputs: dict[str, Value] = {}
    for name, place in zip(raw.outputs, program.outputs, strict=True):
        if not isinstance(env[place], Box):
            raise CorruptFile(f"the output '{printable(name)}' is never computed")
        value = env[place].value
        outputs[name] = op.Identity(value) if value.node is None else value
    return Graph(inputs, outputs, raw.name, raw.meta).noted(*op.notes)


def _run(machine: Machine, program: Program, env: list[Any], call: Call, label: str) -> None:
    kernel = kernels().get(call.kernel)
    if kernel is None:
        raise Unsupported(f"the kernel {printable(call.kernel, 80)}")
    count = len(kernel.arguments)
    if len(call.arguments) < count + kernel.results:
        raise CorruptFile(f"{printable(call.kernel, 80)} with {len(call.arguments)} arguments")
    given = [_given(program, env, place) for place in call.arguments[:count]]
    wanted = [program.values[p] for p in call.arguments[count:count + kernel.results]]
    places = list(call.arguments[count:count + kernel.results])
    if kernel.listed:
        places = list(wanted[0].items)
    made = machine.call(*_named(kernel, given, program, places), label=label)
    results = made if isinstance(made, list) else [made]
    for place, value in zip(places, results, strict=False):
        stated = program.values[place]
        if isinstance(value, Box):
            if isinstance(stated, Type) and value.value.dtype != stated.dtype:
                value = machine.call("to", [value, stated.dtype], {})
            env[place] = value


def _given(program: Program, env: list[Any], place: int) -> Any:
    value = env[place]
    if isinstance(value, Places):
        return [None if p < 0 else env[p] for p in value.items]
    if value is None and isinstance(program.values[place], Type):
        raise CorruptFile("a tensor that is used before it is computed")
    return value


def _named(kernel: Kernel, given: list[Any], program: Program, places: list[int]) -> tuple[str, list[Any], Any, str]:
    """The operator of ATen, its arguments, and its overload."""
    name = kernel.name.removeprefix("aten::")
    plain, _, overload = name.partition(".")
    positional, named = list(given[:kernel.positional]), {
        n: v for (n, _), v in zip(kernel.arguments[kernel.positional:], given[kernel.positional:], strict=True)
        if n not in _NOWHERE and v is not None}
    if plain in ("_to_copy", "dim_order_ops::_to_dim_order_copy"):
        return "to", positional[:1], {"dtype": program.values[places[0]].dtype}, ""
    plain = _PLAIN.get(plain, plain)
    short = overload.removesuffix("_out").removesuffix("out")
    if plain in ("full", "zeros", "ones", "arange", "scalar_tensor", "full_like"):
        named["dtype"] = program.values[places[0]].dtype
    if plain.endswith("_copy") and plain.removesuffix("_copy") in aten:
        plain = plain.removesuffix("_copy")
    return plain, positional, named, {"unary": "", "all": ""}.get(short, short)
