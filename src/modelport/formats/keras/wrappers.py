"""Layers that hold layers, said in plain nodes: TimeDistributed, Bidirectional, RNN with cells, and recurrent state."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import CorruptFile, Unsupported, printable
from ...ir.graph import Value
from ...ir.types import Type
from . import layers
from .config import Layer, attributes, inner, snake
from .weights import Names, Scope

if TYPE_CHECKING:
    from .graph import Reader

Wrapper = Callable[["Reader", Layer, Sequence[Any], dict[str, Any], Scope, str], "list[Value]"]


def _values(flat: Sequence[Any]) -> list[Value]:
    found = [v for v in flat if isinstance(v, Value)]
    if len(found) != len([v for v in flat if v is not None]):
        raise Unsupported("called with a constant")
    return found


def held(reader: Reader, layer: Layer, key: str = "layer") -> Layer:
    """The layer inside of a wrapper."""
    record = layer.config.get(key)
    if not isinstance(record, dict):
        raise CorruptFile(f"the layer '{printable(layer.name)}' wraps nothing")
    return inner(record, reader.limits)


def recurrent(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope, here: str,
              **forced: Any) -> list[Value]:
    """A recurrent layer: inputs are the sequence, its mask, the initial states, the weights."""
    kind = layers.OLD_NAMES.get(layer.kind, layer.kind)
    states = kwargs.pop("initial_state", None)
    mask = kwargs.pop("mask", None)
    kwargs.pop("constants", None) if not kwargs.get("constants") else None
    if kwargs:
        raise Unsupported(f"called with '{printable(next(iter(kwargs)))}'")
    x, *more = _values(flat)
    states = _values(states if isinstance(states, list) else [] if states is None else [states]) or more
    count = layers.RECURRENT[kind]
    if len(states) not in (0, count):
        raise Unsupported(f"{len(states)} initial states, where there are {count}")
    attrs = {**attributes(layer.config), **forced}
    for name in ("activation", "recurrent_activation"):
        if name in attrs:
            attrs[name], after = reader.activation(attrs[name], layer)
            if after is not None:
                raise Unsupported(f"a layer as the {name}")
    stateful = attrs.pop("stateful", False)
    attrs.pop("use_cudnn", None)
    reader.common(attrs, layer.config)
    returned = bool(attrs.get("return_state"))
    inputs_states: list[Value | None] = [*states, *[None] * (count - len(states))]
    if stateful:
        inputs_states = list(_stateful(reader, layer, here, x, states, count))
    weights = reader.weights(kind, layer.config, scope, here)
    seen = _seen(reader, x, mask, states)
    outs = reader.node(kind, [x, seen, *inputs_states, *weights], attrs, here, 1 + count)
    if stateful:
        for k, v in enumerate(outs[1:]):
            reader.next_states[f"state:{here}:{k}:next"] = v
    if attrs.get("return_sequences") and (on := reader.mask_of(x, mask)) is not None:
        reader.masks[outs[0]] = on
    return list(outs) if returned else [outs[0]]


def _seen(reader: Reader, x: Value, mask: Any, states: Sequence[Any]) -> Value | None:
    """The mask that a recurrent layer is called with: today's Keras hands none on that is not said where there are
    initial states."""
    return reader.mask_of(x, mask) if reader.legacy or not states else reader.mask_of(x, mask) if mask else None


def _stateful(reader: Reader, layer: Layer, here: str, x: Value, states: Sequence[Value],
              count: int) -> Sequence[Value | None]:
    if states:
        return states
    if not reader.explicit:
        return [None] * count
    c = layer.config
    if "units" not in c:
        raise Unsupported("explicit states of this layer")
    shape = c.get("batch_input_shape") or c.get("batch_shape") or [None]
    batch = shape[0] if isinstance(shape, list) and shape and isinstance(shape[0], int) else "batch"
    made = []
    for k in range(count):
        name = f"state:{here}:{k}"
        reader.states[name] = Value(Type(reader.dtype("float32", layer), (batch, int(c["units"]))), name)
        made.append(reader.states[name])
    return made


def rnn(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope,
        here: str) -> list[Value]:
    """A cell run over a sequence; of stacked cells each is a layer of its own that hands on its sequence."""
    cell = held(reader, layer, "cell")
    common = {k: v for k, v in layer.config.items() if k not in ("cell", "name")}
    if cell.kind != "StackedRNNCells":
        return recurrent(reader, _as_layer(cell, common), flat, kwargs, scope, here)
    found = _stacked(reader, layer, cell, "cell/cells", "cell/_cells")
    cells = [c for c, _ in found]
    states = kwargs.pop("initial_state", None)
    x, *more = _values(flat)
    nested = states if isinstance(states, list) else []
    given = [v for s in nested for v in (s if isinstance(s, list) else [s])] or more
    mask = kwargs.pop("mask", None)
    seen = _seen(reader, x, mask, given)
    returned: list[Value] = []
    for k, (c, path) in enumerate(found):
        last = k == len(cells) - 1
        made = _as_layer(c, {**common, "return_sequences": True if not last else common.get("return_sequences", False),
                             "go_backwards": bool(common.get("go_backwards")) and k == 0, "return_state": True})
        count = layers.RECURRENT[made.kind]
        mine, given = given[:count], given[count:]
        turned = seen
        if seen is not None and common.get("go_backwards") and k:
            turned = reader.node("ops.flip", [seen], {"axis": 1}, here)[0]
        outs = recurrent(reader, made, [x, *mine], {"mask": turned, **kwargs},
                         _cell(scope, path, cells, k, made), f"{here}/{c.name}")
        x, returned = outs[0], [*returned, *outs[1:]]
    if seen is not None and common.get("return_sequences"):
        reader.masks[x] = seen
    return [x, *returned] if common.get("return_state") else [x]


def _stacked(reader: Reader, layer: Layer, stack: Layer, *paths: str) -> list[tuple[Layer, str]]:
    """The cells of a stack, those of stacks inside of it in their place, with the paths of their weights."""
    if stack.config.get("reverse_state_order"):
        raise Unsupported("stacked cells with states in reverse order")
    records = stack.config.get("cells")
    if not isinstance(records, list) or not records:
        raise CorruptFile(f"the layer '{printable(layer.name)}' stacks no cells")
    used: dict[str, int] = {}
    out: list[tuple[Layer, str]] = []
    for r in records:
        c = inner(r, reader.limits)
        key = snake(c.kind)
        used[key] = n = used.get(key, -1) + 1
        mine = [f"{p}/{key}_{n}" if n else f"{p}/{key}" for p in paths]
        if c.kind == "StackedRNNCells":
            below = (f"{m}/{p.rpartition('/')[2]}" for m, p in zip(mine, paths, strict=True))
            out += _stacked(reader, layer, c, *below)
        else:
            out.append((c, "|".join(mine)))
    return out


class _Cell:
    """The weights of one of several cells, which a layer looks for below ``cell``."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def layer(self, name: str, path: str, net: bool = False) -> Scope:
        return self.scope.layer(name, path, net)

    def part(self, path: str, name: str) -> Scope:
        return self.scope if path == "cell" else self.scope.part(path, name)

    def empty(self) -> bool:
        return self.scope.empty()

    def take(self, spec: Sequence[tuple[str, str]], where: str) -> list[Value]:
        return self.scope.take([("", name) for _, name in spec], where)


def _cell(scope: Scope, path: str, cells: Sequence[Layer], k: int, layer: Layer) -> Scope:
    if not isinstance(scope, Names):
        return _Cell(scope.part(path, ""))

    def count(c: Layer) -> int:
        made = _as_layer(c, {})
        return sum(there for *_, there in layers.slots(made.kind, made.config, ""))
    start = sum(count(c) for c in cells[:k])
    return Names(scope.found[start:start + count(cells[k])], None, scope.cache)


def _as_layer(cell: Layer, common: Mapping[str, Any]) -> Layer:
    if cell.kind not in layers.CELLS:
        raise Unsupported(f"cells of the class {printable(cell.kind)}")
    kind = layers.CELLS[cell.kind]
    config = {**common, **cell.config}
    if kind == "GRU" and "reset_after" not in cell.config:
        config["reset_after"] = False  # the default of cells before it was written
    return Layer(cell.name, kind, "", config)


def cell(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope,
         here: str) -> list[Value]:
    """A cell by itself: one step of its layer.  Outputs are what the layer returns, then the states."""
    states = kwargs.pop("states", None)
    x, *more = _values(flat)
    given = states if isinstance(states, list) else more if states is None else [states]
    one = reader.node("ops.expand_dims", [x], {"axis": 1}, here)[0]
    made = _as_layer(layer, {"return_state": True})
    return recurrent(reader, made, [one, *_values(given)], kwargs,
                     scope if isinstance(scope, Names) else _Cell(scope), here)


def bidirectional(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope,
                  here: str) -> list[Value]:
    """Two recurrent layers, one of them backwards, and what merges their outputs."""
    forward = held(reader, layer)
    backward = held(reader, layer, "backward_layer") if layer.config.get("backward_layer") else \
        Layer(forward.name, forward.kind, "", {**forward.config,
                                               "go_backwards": not forward.config.get("go_backwards", False)})
    states = kwargs.pop("initial_state", None)
    mask = kwargs.pop("mask", None)
    x, *more = _values(flat)
    given = _values(states) if isinstance(states, list) else more
    half = len(given) // 2
    sequences = bool(forward.config.get("return_sequences"))
    seen = _seen(reader, x, mask, given)
    run: Wrapper = rnn if forward.kind == "RNN" else recurrent
    made = []
    for k, (part, each, mine) in enumerate((("forward", forward, given[:half]), ("backward", backward, given[half:]))):
        if (each.kind not in layers.RECURRENT and layers.OLD_NAMES.get(each.kind) not in layers.RECURRENT
                and each.kind != "RNN"):
            raise Unsupported(f"Bidirectional of {printable(each.kind)}")
        if reader.major >= 2:
            each = Layer(each.name, each.kind, "", {**each.config, "zero_output_for_mask": sequences})
        below = scope.half(bool(k)) if isinstance(scope, Names) else scope.part(f"{part}_layer", f"{part}_")
        args: dict[str, Any] = {"mask": seen} if seen is not None else {}
        made.append(run(reader, each, [x, *mine], {**args, **kwargs}, below, f"{here}/{part}"))
    mode = layer.config.get("merge_mode", "concat")
    outs = reader.node("Bidirectional", [made[0][0], made[1][0]], {"merge_mode": mode, "return_sequences": sequences},
                       here, 1 if mode else 2)
    if seen is not None and sequences:
        for v in outs:
            reader.masks[v] = seen
    return [*outs, *made[0][1:], *made[1][1:]]


def time_distributed(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope,
                     here: str) -> list[Value]:
    """A layer applied to every step: the steps are folded into the batch, and unfolded again."""
    inside = held(reader, layer)
    mask = kwargs.pop("mask", None)
    (x,) = _values(flat)[:1]
    if len(flat) > 1:
        raise Unsupported("TimeDistributed of several tensors")
    seen = reader.mask_of(x, mask)
    folded = reader.node("TimeDistributed.fold", [x], {}, here)[0]
    if seen is not None:
        reader.masks[folded] = reader.node("TimeDistributed.fold", [seen], {}, here)[0]
    outs = reader.layer(inside, [folded], kwargs, scope.part("layer", ""), f"{here}/")
    made = [reader.node("TimeDistributed.unfold", [y, x], {}, here)[0] for y in outs]
    inner_mask = reader.masks.get(outs[0])
    if not reader.legacy:  # today's wrapper hands on what it is called with
        found = seen
    elif inner_mask is not None:
        found = reader.node("TimeDistributed.unfold", [inner_mask, x], {}, here)[0]
    else:
        found = None if seen is None else reader.node("mask.steps", [seen], {}, here)[0]
    if found is not None:
        reader.masks[made[0]] = found
    return made


def plain(reader: Reader, layer: Layer, flat: Sequence[Any], kwargs: dict[str, Any], scope: Scope,
          here: str) -> list[Value]:
    """A wrapper that only changes the weights of its layer while training."""
    inside = held(reader, layer)
    return reader.layer(inside, flat, kwargs, scope.part("layer", ""), f"{here}/")


WRAPPERS: Mapping[str, Wrapper] = {
    **dict.fromkeys(layers.CELLS, cell), "RNN": rnn, "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed, "SpectralNormalization": plain}
