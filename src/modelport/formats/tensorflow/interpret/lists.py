"""Lists of tensors, branches and loops; and whole graphs."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ....ir.graph import Graph, Value
from ....ir.tensor import Array
from .table import Refused, TensorList, bounded, evaluate, op

TURNS = 1_000_000
"""Turns of one loop, after which it is taken to be endless."""


def _shape(s: Array) -> tuple[int, ...] | None:
    if s.ndim == 0:
        return None
    return tuple(int(d) for d in s)


def _zeros(items: TensorList, asked: Array | None) -> Array:
    """What an element that was never written is: zeros of the shape that the others, the list or the reader state."""
    for known in (next((i.shape for i in items.items if i is not None), None), items.shape,
                  None if asked is None else _shape(asked)):
        if known is not None and all(d >= 0 for d in known):
            return np.zeros(bounded(known), items.dtype)
    raise Refused("an element of a list that was never written, of unknown shape")


def _item(items: TensorList, k: int, asked: Array | None = None) -> Array:
    if not 0 <= k < len(items.items):
        raise Refused(f"element {k} of a list of {len(items.items)}")
    found = items.items[k]
    return _zeros(items, asked) if found is None else found


@op("TensorListReserve", fold=False)
def reserve(shape: Array, n: Array, *, element_dtype: Any) -> Any:
    return TensorList([None] * bounded([n])[0], element_dtype, _shape(shape))


@op("EmptyTensorList", fold=False)
def empty(shape: Array, most: Array, *, element_dtype: Any) -> Any:
    return TensorList([], element_dtype, _shape(shape))


@op("TensorListFromTensor", fold=False)
def from_tensor(x: Array, shape: Array) -> Any:
    return TensorList(list(x), x.dtype, _shape(shape))


@op("TensorListStack", fold=False)
def stack(items: TensorList, shape: Array, *, element_dtype: Any = None, num_elements: int = -1) -> Any:
    if not items.items:
        known = items.shape if items.shape is not None and all(d >= 0 for d in items.shape) else _shape(shape)
        return np.zeros((0, *(max(d, 0) for d in known or ())), items.dtype)
    return np.stack([_item(items, k, shape) for k in range(len(items.items))])


@op("TensorListGetItem", fold=False)
def get_item(items: TensorList, k: Array, shape: Array, *, element_dtype: Any = None) -> Any:
    return _item(items, int(k), shape)


@op("TensorListSetItem", fold=False)
def set_item(items: TensorList, k: Array, x: Array, *, resize_if_index_out_of_bounds: bool = False,
             element_dtype: Any = None) -> Any:
    made = list(items.items)
    i = int(k)
    if i >= len(made) and resize_if_index_out_of_bounds:
        made += [None] * (bounded([i + 1])[0] - len(made))
    if not 0 <= i < len(made):
        raise Refused(f"element {i} of a list of {len(made)}")
    made[i] = x
    return TensorList(made, items.dtype, items.shape)


@op("TensorListPushBack", fold=False)
def push_back(items: TensorList, x: Array, *, element_dtype: Any = None) -> Any:
    return TensorList([*items.items, x], items.dtype, items.shape)


@op("TensorListPopBack", fold=False)
def pop_back(items: TensorList, shape: Array, *, element_dtype: Any = None) -> Any:
    return TensorList(items.items[:-1], items.dtype, items.shape), _item(items, len(items.items) - 1, shape)


@op("TensorListLength", fold=False)
def length(items: TensorList) -> Any:
    return np.array(len(items.items), np.int32)


@op("TensorListResize", fold=False)
def resize(items: TensorList, n: Array) -> Any:
    made = list(items.items)[:int(n)]
    return TensorList([*made, *[None] * (bounded([n])[0] - len(made))], items.dtype, items.shape)


@op("TensorListElementShape", fold=False)
def element_shape(items: TensorList, *, shape_type: Any = np.int32) -> Any:
    return np.array(-1 if items.shape is None else items.shape, shape_type)


@op("TensorListGather", fold=False)
def gather(items: TensorList, index: Array, shape: Array, *, element_dtype: Any = None) -> Any:
    if not len(index):
        return stack(TensorList([], items.dtype, items.shape), shape)
    return np.stack([_item(items, int(k), shape) for k in index])


@op("TensorListScatterIntoExistingList", fold=False)
def scatter_into(items: TensorList, x: Array, index: Array, *, element_dtype: Any = None) -> Any:
    made = list(items.items)
    for k, v in zip(index, x, strict=True):
        made += [None] * (bounded([int(k) + 1])[0] - len(made))
        made[int(k)] = v
    return TensorList(made, items.dtype, items.shape)


@op("TensorListScatterV2", "TensorListScatter", fold=False)
def scatter(x: Array, index: Array, shape: Array, n: Array | None = None, *, element_dtype: Any = None) -> Any:
    count = int(n) if n is not None and int(n) >= 0 else int(index.max(initial=-1)) + 1
    return scatter_into(TensorList([None] * bounded([count])[0], x.dtype, _shape(shape)), x, index)


@op("TensorListConcatV2", "TensorListConcat", fold=False)
def concat(items: TensorList, shape: Array | None = None, leading: Array | None = None, *, element_dtype: Any = None,
           **_: Any) -> Any:
    rows = [_item(items, k, None) for k in range(len(items.items))]
    return np.concatenate(rows), np.array([len(r) for r in rows], np.int64)


@op("TensorListSplit", fold=False)
def split(x: Array, shape: Array, lengths: Array, *, element_dtype: Any = None) -> Any:
    return TensorList(np.split(x, np.cumsum(lengths)[:-1]), x.dtype, None)


@op("TensorListConcatLists", fold=False)
def concat_lists(a: TensorList, b: TensorList, *, element_dtype: Any = None) -> Any:
    return TensorList([*a.items, *b.items], a.dtype, a.shape)


@op("If", fold=False)
def if_(condition: Array, *values: Any, then_branch: Graph, else_branch: Graph) -> Any:
    return tuple(call(then_branch if bool(condition) else else_branch, values))


@op("Case", fold=False)
def case(index: Array, *values: Any, **branches: Graph) -> Any:
    k = int(index)
    k = k if 0 <= k < len(branches) else len(branches) - 1
    return tuple(call(branches[f"branch_{k}"], values))


@op("While", fold=False)
def while_(*values: Any, cond: Graph, body: Graph) -> Any:
    for _ in range(TURNS):
        if not bool(np.reshape(call(cond, values)[0], ())):
            return tuple(values)
        values = tuple(call(body, values))
    raise Refused(f"a loop of more than {TURNS} turns")


def call(graph: Graph, values: Any) -> list[Any]:
    """A closed graph's results for these inputs, by position."""
    return list(run(graph, dict(zip(graph.inputs, values, strict=True))).values())


def run(graph: Graph, feeds: Mapping[str, Any], also: Mapping[str, Value] | None = None) -> dict[str, Any]:
    """The outputs of a raw graph, and of the values in ``also``.  Raises :class:`Refused` naming the node."""
    memo: dict[Value, Any] = {v: feeds[k] for k, v in graph.inputs.items()}
    wanted = {**graph.outputs, **(also or {})}
    last: dict[Value, int] = {}
    nodes = (graph if also is None else graph.with_(outputs=wanted)).nodes
    for k, node in enumerate(nodes):
        for v in node.inputs:
            if v is not None:
                last[v] = k
    kept = set(wanted.values())

    def of(v: Value) -> Any:
        return v.numpy() if v.data is not None else memo[v]
    for k, node in enumerate(nodes):
        try:
            with np.errstate(all="ignore"):
                made = evaluate(node.op, [of(v) for v in node.inputs if v is not None], node.attrs, len(node.outputs))
        except Refused as e:
            raise Refused(f"{node.op} at '{node.label}': {e}") from None
        except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, np.linalg.LinAlgError,
                OverflowError) as e:
            raise Refused(f"{node.op} at '{node.label}': {type(e).__name__}: {e}") from e
        memo.update(zip(node.outputs, made, strict=False))
        for v in node.inputs:  # what nobody reads any more need not stay in memory
            if v is not None and last.get(v) == k and v not in kept:
                memo.pop(v, None)
    return {k: of(v) for k, v in wanted.items()}
