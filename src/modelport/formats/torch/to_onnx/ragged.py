"""Packed sequences: the rows of several sequences of different lengths, step by step, with none for what is padding.

Each operator means here what it does in PyTorch, whatever comes between: rows are taken out of what is padded, and put
back.  Where they come straight from a padded tensor that tensor is read in their place, so that a recurrent layer reads
the padded steps and the lengths, as ONNX has it.

Source: aten/src/ATen/native/PackedSequence.cpp, RNN.cpp."""
from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import cast
from ..machine import aten
from ..values import I64, Sym, rank, tensor
from .recurrent import RECURRENT, inference, layers

_FRONT = np.array([0])
_padded: WeakKeyDictionary[Value, tuple[Value, Value, Value]] = WeakKeyDictionary()
"""Packed rows -> the steps that they were taken from, [steps, batch, ...], the lengths, the sizes of the batches."""


def _range(op: Builder, count: Value) -> Value:
    """0, 1, ... below a number without axes."""
    made: Value = op.Range(np.int64(0), count, np.int64(1))
    return made


def _within(op: Builder, steps: Value, lengths: Value) -> Value:
    """Whether a sequence is as long, [steps, batch]."""
    made: Value = op.Less(op.Unsqueeze(steps, np.array([1])), op.Unsqueeze(lengths, _FRONT))
    return made


def _pack(op: Builder, steps: Value, lengths: Value, sizes: Value) -> Value:
    """The rows of [steps, batch, ...] that are no padding, one step after the other."""
    count = op.Squeeze(op.Shape(sizes), _FRONT)
    places = op.Transpose(op.NonZero(_within(op, _range(op, count), lengths)), perm=[1, 0])
    rows: Value = op.GatherND(steps, places)
    _padded[rows] = steps, lengths, sizes
    return rows


def _unpack(op: Builder, rows: Value, sizes: Value) -> tuple[Value, Value]:
    """The steps, [steps, batch, ...], and the lengths; what is padding may be anything."""
    found = _padded.get(rows)
    if found is not None and found[2] is sizes:
        return found[:2]
    batch = _range(op, op.Squeeze(op.Slice(sizes, _FRONT, np.array([1])), _FRONT))
    there = _within(op, batch, sizes)  # [batch, steps]
    lengths = op.ReduceSum(cast(op, there, I64), np.array([1]), keepdims=0)
    before = op.Sub(op.CumSum(sizes, np.int64(0)), sizes)
    at = op.Add(op.Unsqueeze(before, np.array([1])), op.Unsqueeze(batch, _FRONT))
    at = op.Where(op.Transpose(there, perm=[1, 0]), at, np.int64(0))
    return op.Gather(rows, at, axis=0), lengths


@aten("_pack_padded_sequence")
def pack(op: Builder, input: Value, lengths: Value, batch_first: bool) -> Any:
    """The rows, and how many sequences have each step; ``lengths`` are in order, the greatest first."""
    if rank(lengths) != 1:
        raise Unsupported(f"lengths of {rank(lengths)} axes")
    lengths = cast(op, lengths, I64)
    steps = op.Transpose(input, perm=[1, 0, *range(2, rank(input))]) if batch_first else input
    longest = op.Squeeze(op.Slice(lengths, _FRONT, np.array([1])), _FRONT)
    there = _within(op, _range(op, longest), lengths)
    sizes = op.ReduceSum(cast(op, there, I64), np.array([1]), keepdims=0)
    return [_pack(op, steps, lengths, sizes), sizes]


@aten("_pad_packed_sequence")
def pad(op: Builder, data: Value, batch_sizes: Value, batch_first: bool, padding_value: Any,
        total_length: Any = -1) -> Any:
    """The steps, as many as the longest sequence has or as ``total_length`` says, and the lengths."""
    steps, lengths = _unpack(op, data, batch_sizes)
    longest = op.Squeeze(op.Shape(batch_sizes), _FRONT)
    total = longest if total_length is None or (not isinstance(total_length, Sym) and total_length <= 0) else \
        tensor(op, total_length, I64)
    at = _range(op, total)
    last = op.Sub(op.Squeeze(op.Shape(steps, start=0, end=1), _FRONT), np.int64(1))
    steps = op.Gather(steps, op.Min(at, last), axis=0)
    there = op.Unsqueeze(_within(op, at, lengths), np.arange(2, rank(steps))) if rank(steps) > 2 else \
        _within(op, at, lengths)
    out = op.Where(there, steps, tensor(op, padding_value, steps.dtype))
    return [op.Transpose(out, perm=[1, 0, *range(2, rank(out))]) if batch_first else out, lengths]


def _over_packed(name: str) -> None:
    kind, how = RECURRENT[name]

    @aten(f"{name}.data")
    def recurrent(op: Builder, data: Value, batch_sizes: Value, hx: Any, params: list[Value], has_biases: bool,
                  num_layers: int, dropout: float, train: bool, bidirectional: bool) -> Any:
        """The rows, then the last states."""
        inference(dropout, train)
        steps, lengths = _unpack(op, data, batch_sizes)
        made = layers(op, kind, steps, hx if isinstance(hx, list) else [hx], params, has_biases, num_layers,
                      bidirectional, False, cast(op, lengths, np.dtype(np.int32)), **how)
        return [_pack(op, made[0], lengths, batch_sizes), *made[1:]]


for _name in RECURRENT:
    _over_packed(_name)
