"""Masks that go from layer to layer without being said: which steps of a sequence count.

Keras 3 writes most of them into the file as operations; inside of sequential and nested models, and in all files of
Keras 1 and 2, they follow from the classes of the layers."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.graph import Value
from . import layers

if TYPE_CHECKING:
    from .graph import Reader


def propagate(reader: Reader, kind: str, config: Mapping[str, Any], tensors: Sequence[Value],
              outputs: Sequence[Value], given: Any, scores: bool = False) -> None:
    """Records the mask of a layer's first output; ``scores`` says that an embedding is called in reverse."""
    made = _mask(reader, kind, config, tensors, given, scores)
    if made is not None and outputs:
        reader.masks[outputs[0]] = made


def _mask(reader: Reader, kind: str, config: Mapping[str, Any], tensors: Sequence[Value], given: Any,
          scores: bool) -> Value | None:
    if not tensors:
        return None
    x = tensors[0]
    name = f"{config.get('name', kind)}/mask"
    if kind in ("Embedding", "ReversibleEmbedding"):
        if kind == "ReversibleEmbedding" and scores:
            return None
        return reader.node("ops.not_equal", [x, reader.value(0)], {}, name)[0] if config.get("mask_zero") else None
    if kind == "Masking":
        value = np.float32(config.get("mask_value", 0.0))
        return reader.node("ops.any", reader.node("ops.not_equal", [x, reader.value(value)], {}, name),
                           {"axis": -1}, name)[0]
    if kind in layers.MERGES:
        every = [reader.masks.get(v) for v in tensors]
        found = [m for m in every if m is not None]
        if not found or kind == "Dot":
            return None
        if kind == "Concatenate":
            return _concatenated(reader, config, tensors, every, name)
        if not reader.legacy and len(found) < len(every):
            return None
        out = found[0]
        for m in found[1:]:
            out = reader.node("ops.logical_and" if reader.legacy else "ops.logical_or", [out, m], {}, name)[0]
        return out
    if layers.passes_mask(kind, reader.legacy):
        return reader.mask_of(x, given)
    return None


def merged(reader: Reader, kind: str, tensors: Sequence[Value], attrs: Mapping[str, Any], name: str) -> Value | None:
    """The product or extreme of tensors of which some are masked, as Keras 3 computes it: what does not count has no
    say in it.  ``None`` where there is nothing to be left out."""
    found = [reader.masks.get(v) for v in tensors]
    if reader.legacy or kind not in ("Multiply", "Maximum", "Minimum") or not any(m is not None for m in found):
        return None
    wide = [m if m is None else reader.node("ops.expand_dims", [m], {"axis": -1}, name)[0] for m in found]

    def node(op: str, *inputs: Value) -> Value:
        return reader.node(op, inputs, attrs if op == kind else {}, name)[0]
    output, on = tensors[0], wide[0]
    if kind == "Multiply":
        y = node(kind, *(v if w is None else node("ops.where", w, v, reader.value(1))
                         for v, w in zip(tensors, wide, strict=True)))
        for w in wide[1:]:
            on = None if on is None or w is None else node("ops.logical_or", on, w)
        return y if on is None else node("ops.where", on, y, reader.value(0))
    for v, w in zip(tensors[1:], wide[1:], strict=True):
        v = v if w is None else node("ops.where", w, v, output)
        output = output if on is None else node("ops.where", on, output, v)
        on = None if on is None or w is None else node("ops.logical_or", on, w)
        output = node(kind, output, v)
    return output


def _concatenated(reader: Reader, config: Mapping[str, Any], tensors: Sequence[Value],
                  every: Sequence[Value | None], name: str) -> Value:
    """Each mask as wide as its input, joined like the inputs; then all (Keras 3: any) of the features."""
    wide = []
    for v, m in zip(tensors, every, strict=True):
        wide.append(reader.node("mask.like", [v, m], {}, name)[0])
    joined = reader.node("ops.concatenate", wide, {"axis": config.get("axis", -1)}, name)
    return reader.node("ops.all" if reader.legacy else "ops.any", joined, {"axis": -1}, name)[0]
