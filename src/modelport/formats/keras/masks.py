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


def _concatenated(reader: Reader, config: Mapping[str, Any], tensors: Sequence[Value],
                  every: Sequence[Value | None], name: str) -> Value:
    """Each mask as wide as its input, joined like the inputs; then all (Keras 3: any) of the features."""
    wide = []
    for v, m in zip(tensors, every, strict=True):
        wide.append(reader.node("mask.like", [v, m], {}, name)[0])
    joined = reader.node("ops.concatenate", wide, {"axis": config.get("axis", -1)}, name)
    return reader.node("ops.all" if reader.legacy else "ops.any", joined, {"axis": -1}, name)[0]
