"""Packed sequences in the code of modules.  Source: torch/nn/utils/rnn.py."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..machine import Box
from ..script.interpreter import Named
from ..values import I64
from .run import Run

_FIELDS = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")


def packed_sequence(run: Run, data: Any, batch_sizes: Any, sorted_indices: Any = None,
                    unsorted_indices: Any = None) -> Named:
    """``PackedSequence(...)``: rows step by step, the sequences in order, and where each was."""
    if unsorted_indices is None and sorted_indices is not None:
        unsorted_indices = run.call("argsort", sorted_indices)
    return Named(_FIELDS, [data, batch_sizes, sorted_indices, unsorted_indices])


def pack_padded_sequence(run: Run, input: Any, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> Named:
    lengths = run.call("to", lengths if isinstance(lengths, Box) else run.call("tensor", lengths), I64)
    order = None
    if not enforce_sorted:
        lengths, order = run.call("sort", lengths, -1, True)
        input = run.call("index_select", input, 0 if batch_first else 1, order)
    data, sizes = run.call("_pack_padded_sequence", input, lengths, batch_first)
    return packed_sequence(run, data, sizes, order)


def pad_packed_sequence(run: Run, sequence: Named, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: Any = None) -> list[Any]:
    padded, lengths = run.call("_pad_packed_sequence", sequence[0], sequence[1], batch_first, padding_value,
                               -1 if total_length is None else total_length)
    back = sequence[3]
    if back is None:
        return [padded, lengths]
    return [run.call("index_select", padded, 0 if batch_first else 1, back), run.call("index_select", lengths, 0, back)]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "PackedSequence": packed_sequence, "pack_padded_sequence": pack_padded_sequence,
    "pad_packed_sequence": pad_packed_sequence}
"""The functions of ``torch.nn.utils.rnn``, whose names stand for nothing else."""
