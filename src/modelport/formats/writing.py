"""What the rules of writers share, whatever the format: what is known of values before they run, one spatial axis as
two, indices, sizes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import Unsupported
from ..hub import infer
from ..hub.layout import BOUND
from ..hub.opset import NHWC
from ..ir.graph import Made, Node, Value
from ..ir.rewrite import Site
from ..ir.tensor import Array
from ..ir.types import DType, Type, is_float

Ints = Sequence[int]
I32, I64 = np.dtype(np.int32), np.dtype(np.int64)
INT32 = (-(1 << 31), (1 << 31) - 1)


def numbers(v: Value | None) -> list[int] | None:
    """The elements of a constant of integers, or ``None``."""
    return None if v is None or v.data is None else [int(n) for n in v.numpy().reshape(-1)]


def known(x: Value | None, what: str) -> list[int]:
    """The elements of an integer value that the translation needs at conversion time."""
    found = numbers(x)
    if found is None and x is not None and x.elements is not None and all(isinstance(e, int) for e in x.elements):
        found = [e for e in x.elements if isinstance(e, int)]
    if found is None:
        raise Unsupported(f"{what} is computed at run time and is needed as a constant")
    return found


def rank(x: Value, most: int | None = None) -> int:
    """The number of axes, at most ``most``."""
    if x.rank is None:
        raise Unsupported("the rank of an input is not known")
    if most is not None and x.rank > most:
        raise Unsupported(f"{x.rank} axes; the kernel takes {most}")
    return x.rank


def dims(x: Value, what: str = "an input") -> list[int]:
    """The static sizes of ``x``."""
    rank(x)
    assert x.shape is not None
    if not x.type.static:
        raise Unsupported(f"the shape of {what} has to be known and is {x.type}")
    return [d for d in x.shape if isinstance(d, int)]


def small(v: Value) -> bool:
    """Whether every element of an integer constant fits 32 bits."""
    return not v.type.size or bool(INT32[0] <= int(v.numpy().min()) and int(v.numpy().max()) <= INT32[1])


def common_type(values: Sequence[Value]) -> DType:
    """The widest element type of several values; integers are 32 bits wide where all of them are, constants that fit
    counting as such."""
    kept = [v.dtype for v in values if v.data is None] or [v.dtype for v in values]
    dtype = max(kept, key=lambda d: d.itemsize)
    if dtype == I32 and any(v.data is not None and v.dtype == I64 and not small(v) for v in values):
        return I64
    return dtype


def own_sizes(x: Value, shape: Value) -> list[bool] | None:
    """For each axis of the result of Expand whether its size is the input's, not the one named; ``None``: not known."""
    named = numbers(shape) or shape.elements
    if named is None or x.shape is None:
        return None
    n = max(len(named), len(x.shape))
    asked = [*[1] * (n - len(named)), *named]
    own = [*[1] * (n - len(x.shape)), *x.shape]
    if any(e != 1 and d != 1 and (d is None or d != e) for e, d in zip(asked, own, strict=True)):
        return None
    return [e == 1 and d != 1 for e, d in zip(asked, own, strict=True)]


def last(node: Node, inputs: Sequence[Value | None],
         types: Sequence[Type]) -> tuple[str, list[Value | None], list[Type]]:
    """Operator, inputs and types of a hub node as a writer of channels last gets it: of its twin, if it has one."""
    ins, outs = list(inputs), list(types)
    if node.op not in BOUND:
        return node.op, ins, outs
    x = ins[0]
    if x is not None:
        ins[0] = Value(infer.channels_last(x.type), x.name)
    return NHWC + node.op, ins, [infer.channels_last(outs[0]), *outs[1:]]


@dataclass(frozen=True)
class Axes:
    """The spatial axes of a kernel of two: where a value has ``one``, another of length one is put before it."""

    one: bool

    def pair(self, values: Ints, fill: int = 1) -> list[int]:
        """What is said for each axis, with the axis that is added."""
        return [fill, *values] if self.one else list(values)

    def pads(self, pads: Ints) -> list[int]:
        return [0, pads[0], 0, pads[1]] if self.one else list(pads)


def along(array: Array, x: Value, axis: int, block_size: int) -> Array:
    """Parameters as they fit ``x``: of the whole, of slices along ``axis``, or of blocks."""
    n = rank(x)
    if array.size == 1:
        return array.reshape((1,) * n)
    axis %= n
    if block_size:
        length = x.shape[axis] if x.shape is not None else None
        if not isinstance(length, int):
            raise Unsupported("blocks along an unknown length")
        return np.take(array, np.arange(length) // block_size, axis=axis)
    return array.reshape([-1 if k == axis else 1 for k in range(n)])


def with_bias(op: Site, a: Value, b: Value, layer: str) -> Made:
    """The addition of a vector to a product with a constant matrix as the operator ``layer`` of both, or ``None``."""
    for product, bias in ((a, b), (b, a)):
        node = product.node
        if node is None or node.op != "MatMul" or not op.once(product) or bias.data is None:
            continue
        x, w = node.inputs
        if x is None or w is None or w.data is None or w.rank != 2 or (x.rank or 0) < 2 or bias.rank != 1 \
                or w.shape is None or bias.shape != w.shape[1:] or not is_float(x.dtype):
            continue
        made: Value = op.add(layer, x, w, bias, type=op.out)
        return made
    return None
