"""Branches, loops and lists of tensors.  A list is, in ONNX, the tensor of its elements side by side.

The bodies have been translated when a rule sees them (:mod:`..translate` types what flows into them)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.bodies import own_outputs
from ....ir.graph import Graph, Value, constant, rebuild
from ....ir.rules import Builder
from ....ir.types import DType, Type
from ..attributes import element_of
from .common import BOOL, I32, I64, cast, i64, ints, known, rank, to_onnx


@to_onnx("If")
def if_(op: Builder, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph) -> Any:
    assert op.node is not None
    return op.add("If", op.Reshape(condition, ints([])), *values, then_branch=own_outputs(op, then_branch),
                  else_branch=own_outputs(op, else_branch), captures=len(values) or None, outputs=len(op.node.outputs))


@to_onnx("Case")
def case(op: Builder, index: Value, *values: Value, **branches: Graph) -> Any:
    """A chain of branches by equality; an index out of range takes the last one."""
    assert op.node is not None
    n, many = len(branches), len(op.node.outputs)
    graphs = [branches[f"branch_{k}"] for k in range(n)]
    at = op.Reshape(index, ints([]))
    rest = graphs[-1]
    for k in range(n - 2, -1, -1):
        ins = {f"i{j}": Value(Type(v.dtype, v.shape), v.name) for j, v in enumerate(values)}
        which = Value(Type(index.dtype, ()), "index")
        test = op.Equal(which, constant(k, index.dtype))
        inner = list(ins.values())
        made = op.add("If", test, *inner, *([which] if k < n - 2 else []), then_branch=_wide(op, graphs[k], k < n - 2),
                      else_branch=own_outputs(op, rest), captures=len(inner) + int(k < n - 2) or None, outputs=many)
        rest = Graph({**ins, "index": which}, {f"o{j}": v for j, v in enumerate(made)}, f"case_{k}")
    return _called(rest, [*values, at])


def _wide(op: Builder, graph: Graph, more: bool) -> Graph:
    """The graph with one input more, which it does not read."""
    made = own_outputs(op, graph)
    if not more:
        return made
    return made.with_(inputs={**made.inputs, "index": Value(Type(I32, ()), "index")})


def _called(body: Graph, values: Sequence[Value]) -> list[Value]:
    """The body's outputs for these values, its nodes among those around it."""
    return list(rebuild(body, lambda node: None, dict(zip(body.inputs, values, strict=True))).outputs.values())


@to_onnx("While")
def while_(op: Builder, *values: Value, cond: Graph, body: Graph) -> Any:
    return _loop(op, values, cond, body, 0)


@to_onnx("WhileStacked")
def while_stacked(op: Builder, *values: Value, cond: Graph, body: Graph, stacked: int) -> Any:
    """A loop whose last results of a turn are put side by side (see :mod:`..loops`)."""
    return _loop(op, values, cond, body, stacked)


def _loop(op: Builder, values: Sequence[Value], cond: Graph, body: Graph, stacked: int) -> Any:
    count = len(values)
    inputs, after = list(body.inputs.values()), list(body.outputs.values())
    fixed = [k for k in range(count) if after[k] is inputs[k]]
    moving = [k for k in range(count) if k not in fixed]
    if not moving and not stacked:
        raise Unsupported("a loop that changes nothing")
    inner = {k: Value(Type(v.dtype, v.shape), v.name) for k, v in enumerate(inputs)}
    for k, v in inner.items():
        v.elements = inputs[k].elements
    results = _called(body, [inner[k] for k in range(count)])
    nexts = [results[k] if k in moving else inner[k] for k in range(count)]
    go = op.Reshape(_called(cond, nexts)[0], ints([]))
    closed = Graph({"iteration": Value(Type(I64, ()), "iteration"), "go_in": Value(Type(BOOL, ()), "go_in"),
                    **{f"state_{k}": inner[k] for k in moving}, **{f"fixed_{k}": inner[k] for k in fixed}},
                   {"go": go, **{f"next_{k}": results[k] for k in moving},
                    **{f"item_{k}": v for k, v in enumerate(results[count:])}}, body.name)
    first = op.Reshape(_called(cond, list(values))[0], ints([]))
    made = op.add("Loop", None, first, *(values[k] for k in moving), *(values[k] for k in fixed),
                  body=own_outputs(op, closed), captures=len(fixed) or None, outputs=len(moving) + stacked)
    left = dict(zip(moving, made, strict=False))
    return (*(left[k] if k in left else values[k] for k in range(count)), *made[len(moving):])


# --------------------------------------------------------------------------------------------------- lists


def _element_shape(op: Builder, shape: Value) -> list[int] | None:
    """The static shape of the elements, as the operator or its type states it."""
    assert op.node is not None
    stated = op.node.outputs[0].type.shape
    if stated is not None and all(isinstance(d, int) for d in stated[1:]):
        return [d for d in stated[1:] if isinstance(d, int)]
    if shape.rank == 1:
        asked = known(shape, "the shape of the elements")
        return asked if all(d >= 0 for d in asked) else None
    return None


def _kind(op: Builder) -> DType:
    found = element_of(op.out.dtype)
    if found is None:
        raise Unsupported("a list of unknown elements")
    return found


@to_onnx("TensorListReserve")
def reserve(op: Builder, shape: Value, n: Value, *, element_dtype: DType) -> Any:
    elements = _element_shape(op, shape)
    if elements is None:
        raise Unsupported("a list whose elements have a shape that is known at run time only")
    size = op.Concat(op.Reshape(i64(op, n), ints([1])), ints(elements), axis=0) if elements else \
        op.Reshape(i64(op, n), ints([1]))
    start = constant(np.array("", object)) if element_dtype.kind == "O" else constant(0, element_dtype)
    return op.Expand(start, size)


@to_onnx("TensorListReserveLike")
def reserve_like(op: Builder, n: Value, x: Value) -> Any:
    """A list of elements like ``x``, which is the first to be written."""
    size = op.Reshape(i64(op, n), ints([1]))
    return op.Expand(constant(0, x.dtype), op.Concat(size, op.Shape(x), axis=0) if x.rank != 0 else size)


@to_onnx("EmptyTensorList")
def empty(op: Builder, shape: Value, most: Value, *, element_dtype: DType) -> Any:
    return reserve(op, shape, ints([0]), element_dtype=element_dtype)


@to_onnx("TensorListFromTensor")
def from_tensor(op: Builder, x: Value, shape: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Identity(x)


@to_onnx("TensorListStack")
def stack(op: Builder, items: Value, shape: Value, *, element_dtype: DType | None = None,
          num_elements: int = -1) -> Any:
    return op.Identity(items)


@to_onnx("TensorListGetItem")
def get_item(op: Builder, items: Value, k: Value, shape: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Gather(items, i64(op, k), axis=0)


@to_onnx("TensorListSetItem")
def set_item(op: Builder, items: Value, k: Value, x: Value, *, element_dtype: DType | None = None,
             resize_if_index_out_of_bounds: bool = False) -> Any:
    at = op.Reshape(i64(op, k), ints([1]))
    if resize_if_index_out_of_bounds:
        lacks = op.Max(op.Sub(op.Add(at, ints([1])), op.Shape(items, end=1)), ints([0]))
        more = op.Expand(constant(0, x.dtype), op.Concat(lacks, op.Shape(x), axis=0) if x.rank != 0 else lacks)
        items = op.Concat(items, more, axis=0)
    return op.ScatterND(items, op.Unsqueeze(at, ints([0])), op.Unsqueeze(x, ints([0])))


@to_onnx("TensorListPushBack")
def push_back(op: Builder, items: Value, x: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Concat(items, op.Unsqueeze(x, ints([0])), axis=0)


@to_onnx("TensorListPopBack")
def pop_back(op: Builder, items: Value, shape: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Slice(items, ints([0]), ints([-1]), ints([0])), op.Gather(items, constant(-1, I64), axis=0)


@to_onnx("TensorListLength")
def length(op: Builder, items: Value) -> Any:
    return cast(op, op.Squeeze(op.Shape(items, end=1), ints([0])), I32)


@to_onnx("TensorListElementShape")
def element_shape(op: Builder, items: Value, *, shape_type: DType = I32) -> Any:
    return cast(op, op.Shape(items, start=1), op.out.dtype)


@to_onnx("TensorListResize")
def resize(op: Builder, items: Value, n: Value) -> Any:
    wanted = op.Reshape(i64(op, n), ints([1]))
    lacks = op.Max(op.Sub(wanted, op.Shape(items, end=1)), ints([0]))
    more = op.Expand(constant(0, items.dtype), op.Concat(lacks, op.Shape(items, start=1), axis=0))
    return op.Slice(op.Concat(items, more, axis=0), ints([0]), wanted, ints([0]))


@to_onnx("TensorListKeepLast")
def keep_last(op: Builder, items: Value) -> Any:
    return op.Slice(items, ints([-1]), ints([np.iinfo(np.int64).max]), ints([0]))


@to_onnx("TensorListGather")
def gather(op: Builder, items: Value, index: Value, shape: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Gather(items, i64(op, index), axis=0)


@to_onnx("TensorListScatterIntoExistingList")
def scatter_into(op: Builder, items: Value, x: Value, index: Value, *, element_dtype: DType | None = None) -> Any:
    at = op.Unsqueeze(i64(op, index), ints([1]))
    return op.ScatterND(items, at, x)


@to_onnx("TensorListScatterV2", "TensorListScatter")
def scatter(op: Builder, x: Value, index: Value, shape: Value, n: Value | None = None, *,
            element_dtype: DType | None = None) -> Any:
    least = op.Add(op.ReduceMax(i64(op, index), ints([0]), keepdims=1), ints([1]))
    count = least if n is None else op.Max(least, op.Reshape(i64(op, n), ints([1])))
    start = op.Expand(constant(0, x.dtype), op.Concat(count, op.Shape(x, start=1), axis=0))
    return op.ScatterND(start, op.Unsqueeze(i64(op, index), ints([1])), x)


@to_onnx("TensorListConcatV2", "TensorListConcat")
def concat(op: Builder, items: Value, shape: Value | None = None, leading: Value | None = None, *,
           element_dtype: DType | None = None, **_: Any) -> Any:
    n = rank(items)
    if n < 2:
        raise Unsupported("elements without a dimension are joined")
    flat = op.Reshape(items, op.Concat(ints([-1]), op.Shape(items, start=2), axis=0))
    return flat, op.Expand(op.Shape(items, start=1, end=2), op.Shape(items, end=1))


@to_onnx("TensorListSplit")
def split(op: Builder, x: Value, shape: Value, lengths: Value, *, element_dtype: DType | None = None) -> Any:
    sizes = known(lengths, "the lengths")
    if len(set(sizes)) != 1:
        raise Unsupported(f"a list of elements of {sorted(set(sizes))} rows")
    return op.Reshape(x, op.Concat(ints([len(sizes), sizes[0]]), op.Shape(x, start=1), axis=0))


@to_onnx("TensorListConcatLists")
def concat_lists(op: Builder, a: Value, b: Value, *, element_dtype: DType | None = None) -> Any:
    return op.Concat(a, b, axis=0)
