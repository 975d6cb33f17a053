"""What the rules of several families share."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.infer import HubBuilder
from ....ir.graph import Node, Value, constant
from ....ir.rules import Builder, Rules, static
from ....ir.tensor import Tensor
from ....ir.types import NUMBER, DType, Type, is_float

to_onnx = Rules("Keras", "ONNX")
F32, F64, I32, I64, BOOL = (np.dtype(t) for t in (np.float32, np.float64, np.int32, np.int64, np.bool_))
INT_MAX, INT_MIN = np.iinfo(np.int64).max, np.iinfo(np.int64).min


class KerasBuilder(HubBuilder):
    """The builder of hub nodes, which knows what a layer's policy and generation say.

    ``legacy`` is 1 or 2 for files of Keras 1 and 2, else 0; ``compute`` the element type that the layer computes in;
    ``bfloat16`` says that the layer itself computes in that; ``moved`` are the weights that were transposed before, so
    that a layer that is called often has them once."""

    legacy: int = 0
    compute: DType = F32
    bfloat16: bool = False
    moved: dict[Any, Value]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.moved = {}

    def at(self, node: Node) -> KerasBuilder:
        return self._same(super().at(node))

    def within(self, domain: str) -> KerasBuilder:
        return self._same(super().within(domain))

    def _same(self, made: Builder) -> KerasBuilder:
        assert isinstance(made, KerasBuilder)
        made.legacy, made.compute, made.moved = self.legacy, self.compute, self.moved
        made.bfloat16 = self.bfloat16
        return made


def once(op: Builder, key: Any, make: Callable[[], Value]) -> Value:
    """What ``make`` makes of weights, made once for all calls of a layer; ``key`` says what, and of which values."""
    assert isinstance(op, KerasBuilder)
    if key not in op.moved:
        op.moved[key] = make()
    return op.moved[key]


def generation(op: Builder) -> int:
    """1 or 2 for the older generations of Keras, 3 for today's."""
    assert isinstance(op, KerasBuilder)
    return op.legacy or 3


def cast(op: Builder, x: Value, dtype: DType) -> Value:
    """``x`` in another element type; a constant stays one."""
    if x.dtype == dtype:
        return x
    if x.data is not None and x.data.nbytes < 4096:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = op.Cast(x, to=NUMBER[dtype])
    if x.elements is not None and made.elements is None and dtype.kind in "iu":
        made.elements = x.elements
    return made


def real(op: Builder, x: Value) -> Value:
    """``x`` as a real number of the type that the layer computes in."""
    assert isinstance(op, KerasBuilder)
    return x if is_float(x.dtype) else cast(op, x, op.compute)


def number(x: Value, value: float) -> Value:
    """A constant of the element type of ``x``."""
    return constant(np.asarray(value).astype(x.dtype))


def ints(values: Sequence[int] | np.ndarray[Any, Any]) -> Value:
    """A constant list of indices."""
    return constant(np.asarray(values, np.int64).reshape(-1))


def i64(op: Builder, x: Value) -> Value:
    """Indices as ONNX wants them."""
    return cast(op, x, I64)


def room(*sizes: int) -> None:
    """Refuses to make a constant whose size is no more than a number in a configuration, if it is a large one."""
    count = 1
    for n in sizes:
        if not isinstance(n, int) or n < 0:
            raise Unsupported(f"a size of {n!r}")
        count *= n
    if count > 1 << 24:
        raise Unsupported(f"{count:,} elements made from nothing but a number")


def rank(x: Value, what: str = "the input") -> int:
    if x.rank is None:
        raise Unsupported(f"the rank of {what} is not known")
    return x.rank


def dims(x: Value, axes: Sequence[int] | None = None, what: str = "the input") -> list[int]:
    """The static sizes of ``x`` along ``axes`` (default: all)."""
    n = rank(x, what)
    assert x.shape is not None
    out = []
    for a in range(n) if axes is None else axes:
        d = x.shape[a] if -n <= a < n else None
        if not isinstance(d, int):
            raise Unsupported(f"the shape of {what} has to be known and is {x.type}")
        out.append(d)
    return out


def axis_of(x: Value, axis: int, more: int = 0) -> int:
    """``axis`` of ``x`` counted from the front; with ``more`` axes that are about to be added."""
    n = rank(x) + more
    if not isinstance(axis, int) or not -n <= axis < n:
        raise Unsupported(f"axis {axis} of {n} dimensions")
    return axis % n


def axes_of(x: Value, axis: Any) -> list[int]:
    """One axis, several, or all of ``x`` (``None``), counted from the front."""
    if axis is None:
        return list(range(rank(x)))
    return sorted({axis_of(x, a) for a in (axis if isinstance(axis, (list, tuple)) else [axis])})


def scalar(x: Value | None, what: str) -> Any:
    """The only element of a constant."""
    found = static(x, what).ravel().tolist()
    if len(found) != 1:
        raise Unsupported(f"{what} has {len(found)} elements")
    return found[0]


def listed(value: Any, n: int, what: str) -> list[int]:
    """``n`` whole numbers: one for all, or as many."""
    out = [value] * n if isinstance(value, int) else list(value) if isinstance(value, (list, tuple)) else []
    if len(out) != n or not all(isinstance(v, int) and not isinstance(v, bool) for v in out):
        raise Unsupported(f"{what} {value!r}, where {n} whole numbers are needed")
    return out


def first(data_format: str) -> bool:
    """Whether the channels come first."""
    if data_format not in ("channels_first", "channels_last"):
        raise Unsupported(f"data_format {data_format}")
    return data_format == "channels_first"


def layout(op: Builder, data_format: str) -> Builder:
    """The builder of layout-bound operators for this order of axes."""
    return op if first(data_format) else op.nhwc


def spatial(x: Value, data_format: str) -> list[int]:
    """The spatial axes."""
    n = rank(x)
    return list(range(2, n)) if first(data_format) else list(range(1, n - 1))


def transposed(op: Builder, w: Value, perm: Sequence[int], shape: Sequence[int] | None = None) -> Value:
    """A weight with its axes permuted, then of another shape: a view made when it is needed, once for all calls."""
    if w.rank != len(perm) or w.shape is None:
        raise Unsupported(f"a weight of {len(perm)} dimensions has {w.rank}")
    data, perm = w.data, tuple(perm)

    def make() -> Value:
        if data is None:
            made = op.Transpose(w, perm=list(perm))
            return made if shape is None else op.Reshape(made, ints(shape))
        old = [d for d in w.shape or () if isinstance(d, int)]
        new = tuple(shape) if shape is not None else tuple(old[p] for p in perm)
        type = Type(w.dtype, new)

        def array() -> Any:
            turned = data.numpy().transpose(perm)
            return turned if shape is None else turned.reshape(new)
        return Value(type, w.name, data=Tensor(array, type))
    return once(op, (w, perm, None if shape is None else tuple(shape)), make)


def reshaped(op: Builder, w: Value, shape: Sequence[int]) -> Value:
    """A weight of another shape, its bytes where they are."""
    data = w.data
    if data is None:
        made: Value = op.Reshape(w, ints(shape))
        return made

    def make() -> Value:
        type = Type(w.dtype, tuple(shape))
        return Value(type, w.name, data=Tensor(lambda: data.numpy().reshape(tuple(shape)), type, data._raw))
    return once(op, (w, "reshape", tuple(shape)), make)


def flip(op: Builder, x: Value, axis: int) -> Value:
    """``x`` backwards along an axis; what was turned before is turned back by leaving that out."""
    node = x.node
    if node is not None and node.op == "Slice" and len(node.inputs) == 5:
        known = [None if v is None or v.data is None else v.numpy().ravel().tolist() for v in node.inputs[1:]]
        if known[2:] == [[axis], [-1]] and known[:2] == [[-1], [INT_MIN]] and node.inputs[0] is not None:
            return node.inputs[0]
    made: Value = op.Slice(x, ints([-1]), ints([INT_MIN]), ints([axis]), ints([-1]))
    return made


def same_pads(size: Sequence[int], kernel: Sequence[int], strides: Sequence[int],
              dilations: Sequence[int]) -> list[int]:
    """The pads of ``same``: output ceil(size / stride), the odd one at the end."""
    begin, end = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        begin.append(total // 2)
        end.append(total - total // 2)
    return begin + end


def padding_of(x: Value, padding: str, data_format: str, kernel: Sequence[int], strides: Sequence[int],
               dilations: Sequence[int]) -> dict[str, Any]:
    """The attributes of a window operator that say ``padding``: explicit where the sizes are known."""
    padding = str(padding).lower()
    if any(s < 1 for s in (*strides, *dilations, *kernel)):
        raise Unsupported(f"kernel {list(kernel)}, strides {list(strides)}, dilations {list(dilations)}")
    if padding == "valid":
        return {}
    if padding == "causal" and len(kernel) == 1:
        return {"pads": [(kernel[0] - 1) * dilations[0], 0]}
    if padding == "full":
        pads = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        return {"pads": pads * 2}
    if padding != "same":
        raise Unsupported(f"padding {padding}")
    sizes = [(x.shape or ())[a] for a in spatial(x, data_format)]
    if all(isinstance(d, int) for d in sizes):
        pads = same_pads([d for d in sizes if isinstance(d, int)], kernel, strides, dilations)
        return {"pads": pads} if any(pads) else {}
    if all(s == 1 for s in strides):
        total = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        return {"pads": [*(t // 2 for t in total), *(t - t // 2 for t in total)]} if any(total) else {}
    if any(d != 1 for d in dilations):
        raise Unsupported("strides and dilations of an input whose size is known at run time only")
    return {"auto_pad": "SAME_UPPER"}


_ORDER = [BOOL, *(np.dtype(t) for t in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"))]


def promote(op: Builder, *xs: Value) -> list[Value]:
    """Operands in one element type, as Keras finds it; Python's numbers (64-bit constants without axes) give way."""
    firm = [x for x in xs if not weak(op, x)]
    if not firm:
        kind = np.result_type(*(x.dtype for x in xs))
        dtype = F32 if kind.kind == "f" else I32 if kind.kind == "i" else kind
        return [cast(op, x, dtype) for x in xs]
    floats = [x.dtype for x in firm if is_float(x.dtype)]
    if floats:
        dtype = floats[0]
        for other in floats[1:]:
            if other != dtype:
                dtype = np.promote_types(dtype, other) if dtype.kind == other.kind == "f" else F32
    elif any(is_float(x.dtype) for x in xs):
        dtype = F32
    else:
        dtype = firm[0].dtype
        for x in firm[1:]:
            if x.dtype != dtype:
                dtype = np.result_type(dtype, x.dtype)
        if dtype.kind == "f":  # uint64 with signed numbers
            dtype = F32
        if dtype == BOOL and any(x.dtype.kind in "iu" for x in xs):
            dtype = I32
    return [cast(op, x, dtype) for x in xs]


def weak(op: Builder, x: Value) -> bool:
    """Whether a value is a number of Python, which has no element type of its own; in files of the older generations
    constants are lists of such numbers."""
    return x.data is not None and x.dtype in (F64, I64, BOOL) and (x.shape == () or generation(op) < 3)


def tensor(op: Builder, x: Value) -> Value:
    """A value that may be a Python number, as Keras makes a tensor of it."""
    return promote(op, x)[0] if weak(op, x) else x


def numpy_dtype(name: Any) -> DType:
    """The element type of that name."""
    if name == "bfloat16":
        import ml_dtypes
        return np.dtype(ml_dtypes.bfloat16)
    if isinstance(name, dict):
        name = (name.get("config") or {}).get("name")
    try:
        found = np.dtype(str(name))
    except (TypeError, ValueError):  # a name may be no text that can be written
        raise Unsupported(f"element type {name}") from None
    if found not in NUMBER:
        raise Unsupported(f"element type {name}")
    return found
