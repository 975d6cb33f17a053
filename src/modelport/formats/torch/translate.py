"""From a program of torch.export to the hub."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder
from ...ir.types import Type, merge
from .machine import Box, Machine
from .program import Block, Call, Program, Ref
from .states import State, begins_anew, following
from .to_onnx import aten
from .values import I64, Complex, Sym, is_number, paired, tensor

_OPERATORS = "_operator."
_POISON = object()


def to_hub(raw: Graph, explicit: bool = False) -> Graph:
    """The graph in ONNX's operators, or :class:`UnsupportedModel` with all that is in the way; with ``explicit`` the
    buffers that a call changes are inputs and outputs."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    if "graph" in node.attrs:  # of TorchScript, whose outputs are known once it was run
        done: Graph = node.attrs["graph"]
        return done
    program: Program = node.attrs["program"]
    op = builder().at(node)
    inputs = {n: Value(program.block.types.get(n, Type(I64, ())), n) for n in program.inputs}
    tensors: dict[str, Any] = {own: Box(Value(data.type, own, data=data)) for own, data in program.constants.values()}
    state = State([("", tensors)])
    try:
        outputs, changed = _ran(op, program, inputs, tensors, state)
        if explicit and changed:
            states = state.explicit(changed)
            outputs, after = _ran(op, program, inputs, tensors, state)
            outputs, inputs = following(op, outputs, states, after, inputs)
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    if changed and not explicit:
        op.note("info", begins_anew(changed))
    return Graph(inputs, outputs, raw.name, raw.meta).noted(*op.notes)


def _ran(op: Builder, program: Program, inputs: Mapping[str, Value], tensors: dict[str, Any],
         state: State) -> tuple[dict[str, Value], dict[str, Any]]:
    """The outputs of a program, and the buffers that it changed, as they are after it: those that it writes to, and
    those that it returns for the caller to write."""
    env: dict[str, Any] = {name: tensors[own] for name, (own, _) in program.constants.items()}
    env.update(program.fixed)
    for name, v in inputs.items():
        env[name] = Box(v) if name in program.block.types else Sym(v)
    problems: list[Unsupported] = []
    made = run(op, program.block, env, problems)
    if problems:
        raise UnsupportedModel(problems, "ONNX")
    outputs = {label: _delivered(op, out) for label, out in zip(program.outputs, made, strict=True)
               if label is not None and out is not None}
    changed = state.changed()
    changed.update({own: Box(_delivered(op, made[at])) for at, own in program.mutated.items() if own in tensors})
    return outputs, changed


def _delivered(op: Builder, out: Any) -> Value:
    """An output as a value that a node makes."""
    if isinstance(out, Box):
        value = paired(op, out.value) if isinstance(out.value, Complex) else out.value
    elif is_number(out):
        value = tensor(op, out)
    else:
        raise Unsupported(f"an output that is a {type(out).__name__}")
    made: Value = op.Identity(value) if value.node is None else value
    return made


def run(op: Builder, block: Block, env: dict[str, Any], problems: list[Unsupported]) -> list[Any]:
    """The outputs of a block, whose inputs are in ``env``; what is in the way is added to ``problems``."""
    machine = Machine(op, stated=True)
    for call in block.calls:
        try:
            arguments = [(a.name, resolved(a.value, env), a.keyword) for a in call.arguments]
            if any(_poisoned(v) for _, v, _ in arguments):
                if not _known(call):
                    problems.append(Unsupported("no translation", _node(call)))
                made: Any = _POISON
            else:
                made = _called(machine, call, arguments, problems)
        except Unsupported as e:
            e.node = _node(call) if e.node is None or not e.node.label else e.node
            problems.append(e)
            made = _POISON
        for name, value in _results(call, made):
            if isinstance(value, Box) and name not in _states(call):
                try:
                    _checked(value, block.types.get(name), name)
                except Unsupported as e:
                    e.node = _node(call)
                    problems.append(e)
                    value = _POISON
            env[name] = value
    return [resolved(o, env) for o in block.outputs] if not problems else []


def _states(call: Call) -> list[Any]:
    """The last states of a recurrent layer, which torch 2.5 states with an axis too many."""
    return list(call.results[1:]) if call.target.startswith(("aten.lstm", "aten.gru", "aten.rnn_")) else []


def _node(call: Call) -> Node:
    return Node(call.target, (), {}, (), name=call.path or call.name)


def _known(call: Call) -> bool:
    """Whether there is a rule for a call."""
    space, name, overload = split(call.target)
    return space not in ("aten", "prims") or aten.rule(name, overload) is not None or \
        aten.rule(name.removesuffix("_"), overload) is not None


def split(target: str) -> tuple[str, str, str]:
    """Namespace, name and overload of "aten.add.Tensor"."""
    space, _, rest = target.partition(".")
    name, _, overload = rest.partition(".")
    return space, name, "" if overload == "default" else overload


def _called(machine: Machine, call: Call, arguments: Sequence[tuple[str, Any, bool]],
            problems: list[Unsupported]) -> Any:
    label = call.path or call.name
    if call.target.startswith(_OPERATORS) or call.target.startswith(("math.", "builtins.", "torch.sym_")):
        name = "py." + call.target.rpartition(".")[2]
        return machine.call(name, [v for _, v, _ in arguments], {}, label=label)
    space, name, overload = split(call.target)
    if space == "higher_order":
        from .higher import higher
        return higher(machine, name, [v for _, v, _ in arguments], problems, label)
    rule = aten.rule(name, overload)
    positional = [v for _, v, keyword in arguments if not keyword]
    named = {n: v for n, v, keyword in arguments if keyword}
    if space not in ("aten", "prims"):
        name, overload = f"{space}::{name}", overload
    elif rule is not None and _by_name(rule, [n for n, _, _ in arguments]):
        positional, named = [], {n: v for n, v, _ in arguments}
        first = next(iter(named), "")
        positional = [named.pop(first)] if first in ("self", "input", "x") else []
    return machine.call(name, positional, named, overload, label)


def _by_name(rule: Any, names: Sequence[str]) -> bool:
    """Whether all arguments can be given by their names: files of torch 2.1 to 2.5 do not say which are positional."""
    from .machine import _parameters
    return set(names) <= _parameters(rule)[0]


def resolved(x: Any, env: Mapping[str, Any]) -> Any:
    if isinstance(x, Ref):
        if x.name not in env:
            raise Unsupported(f"'{x.name}' is used before it is there")
        return env[x.name]
    if isinstance(x, list):
        return [resolved(v, env) for v in x]
    return x


def _poisoned(x: Any) -> bool:
    return x is _POISON or (isinstance(x, list) and any(map(_poisoned, x)))


def _results(call: Call, made: Any) -> list[tuple[str, Any]]:
    """The names that a call gives its results."""
    wanted = call.results
    if made is _POISON:
        return [(n, _POISON) for r in wanted for n in (r if isinstance(r, list) else [r]) if n]
    if len(wanted) == 1:
        if isinstance(wanted[0], list):
            if not isinstance(made, list) or len(made) < len(wanted[0]):
                raise Unsupported(f"{len(wanted[0])} results are used", _node(call))
            return [(n, v) for n, v in zip(wanted[0], made, strict=False) if n]
        if isinstance(made, list) and made:
            made = made[0]
    parts = made if isinstance(made, list) else [made]
    if len(parts) < sum(r is not None for r in wanted):
        raise Unsupported(f"{len(wanted)} results are used, and its translation has {len(parts)}", _node(call))
    return [(n, v) for n, v in zip(wanted, parts, strict=False) if isinstance(n, str) and n]


def _checked(box: Box, stated: Type | None, name: str) -> None:
    """Holds a result to the type that the file states, and adds what that knows of its shape."""
    value = box.value
    box.named(name)
    if stated is None or stated.dtype.kind == "c":
        return
    if value.dtype != stated.dtype:
        raise Unsupported(f"a result of {value.dtype} where {stated.dtype} is stated")
    have, want = value.shape, stated.shape
    if have is not None and want is not None and (len(have) != len(want) or any(
            isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(have, want, strict=True))):
        raise Unsupported(f"a result of shape {value.type} where {stated} is stated")
    if value.data is None and value.node is not None:
        value.type = merge(value.type, stated)
