"""The binary files of XGBoost 0.x to 3.0, which newer ones cannot open.

Source: xgboost 1.7, src/learner.cc (LearnerModelParamLegacy), src/gbm/gbtree_model.h, include/xgboost/tree_model.h."""
from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np

from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, Unsupported, printable
from ..ensemble import LT, Ensemble
from .model import LOG, LOGIT, Model, _all, _linear, _scaled, margins

_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")])
_HEADER, _TREES, _TREE, _STATISTICS = 136, 160, 148, 16


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise CorruptFile(f"{count} bytes are said to follow, {len(self.data) - self.at} do", offset=self.at)
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def numbers(self, layout: str, size: int) -> tuple[Any, ...]:
        return struct.unpack_from(layout, self.take(size))

    def text(self) -> str:
        (size,) = self.numbers("<Q", 8)
        if size > 4096:
            raise CorruptFile("a name that is too long", offset=self.at)
        return self.take(size).decode("utf-8", "replace")

    def array(self, dtype: Any, count: int) -> Any:
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so is one: with a mark, or with the parameters and the name of an objective."""
    if head[:4] in (b"binf", b"bs64") or head[:7] in SPARK:
        return True
    if len(head) < _HEADER + 16:
        return False
    (size,) = struct.unpack_from("<Q", head, _HEADER)
    name = head[_HEADER + 8:_HEADER + 8 + min(size, 64)]
    return 3 < size < 64 and b":" in name and name.replace(b":", b"").replace(b"_", b"").isalnum()


SPARK = (b"\x00\x05_cls_", b"\x00\x05_reg_")
"""How files of XGBoost4J-Spark begin: texts in Java's modified UTF-8."""


def _without_spark(data: bytes) -> bytes:
    """The file behind the names of columns, and the thresholds of a classifier, that Spark puts before it."""
    r = _Bytes(data)

    def text() -> bytes:
        return r.take(*r.numbers(">H", 2))
    classifies = text() == b"_cls_"
    for _ in range(4 if classifies else 3):
        text()
    if classifies:
        (count,) = r.numbers(">i", 4)
        r.take(8 * max(count, 0))
    return data[r.at:]


def parse(data: bytes, limits: Limits = DEFAULT) -> Model:
    """The booster of a binary file."""
    if data[:7] in SPARK:
        data = _without_spark(data)
    if data[:4] == b"bs64":
        try:
            data = base64.b64decode(data[4:].strip(), validate=True)
        except ValueError as e:
            raise CorruptFile(f"no base64: {e}") from e
    r = _Bytes(data)
    if data[:4] == b"binf":
        r.take(4)
    base, features, classes, extra, _, major, minor, targets = r.numbers("<fIiiiIII", _HEADER)
    objective, kind = r.text(), r.text()
    version = (major, minor) if major < 100 else (0, 0)
    if features > 1 << 30 or not 0 <= classes < 1 << 20:
        raise CorruptFile("no parameters of an XGBoost model")
    outputs = max(classes, targets if version >= (1, 6) and targets < 1 << 20 else 1, 1)
    if version < (1, 0):  # already a margin
        start = np.full(outputs, base, np.float32)
    else:
        start = margins(objective, base, outputs, version)
    if kind == "gblinear":
        _, groups = r.numbers("<Ii", 136)
        (count,) = r.numbers("<Q", 8)
        weights = _linear(r.array("<f4", count), features, max(groups, 1))
        return Model(objective, outputs, features, start, None, weights, (), version)
    if kind not in ("gbtree", "dart"):
        raise Unsupported(f"the booster '{printable(kind)}'")
    trees, parallel, *_ = r.numbers("<iiiiqii", _TREES)
    limits.check("nodes", trees)
    made = [_tree(r, outputs, features) for _ in range(trees)]
    groups_of = r.array("<i4", trees)
    if kind == "dart":
        (count,) = r.numbers("<Q", 8)
        made = [_scaled(t, w) for t, w in zip(made, r.array("<f4", count), strict=True)]
    from dataclasses import replace
    made = [replace(t, target=np.array([int(g)])) for t, g in zip(made, groups_of, strict=True)]
    return Model(objective, outputs, features, start, _all(made, outputs, features), None, _names(r, extra), version,
                 trees_per_round=max(parallel, 1))


def _names(r: _Bytes, extra: int) -> list[str]:
    """The names of the features, which are among the attributes at the end of newer files."""
    if not extra:
        return []
    try:
        (count,) = r.numbers("<Q", 8)
        for _ in range(min(count, 1000)):
            key, value = r.text(), r.text()
            if key == "feature_names":
                import json
                return [str(n) for n in json.loads(value)]
    except (CorruptFile, ValueError):
        pass
    return []


def _tree(r: _Bytes, outputs: int, features: int) -> Ensemble:
    roots, count, _, _, _, vector = r.numbers("<6i", _TREE)
    if roots != 1 or count <= 0:
        raise CorruptFile("a tree without a root", offset=r.at)
    nodes = r.array(_NODE, count)
    r.take(_STATISTICS * count)
    if vector:
        (size,) = r.numbers("<Q", 8)
        r.take(4 * size)
    leaf = nodes["left"] < 0
    value = np.where(leaf, nodes["value"], np.float32(0))[:, None]
    return Ensemble(
        np.array([0]), np.where(leaf, -1, nodes["left"]).astype(np.int64),
        np.where(leaf, -1, nodes["right"]).astype(np.int64),
        np.where(leaf, 0, nodes["split"] & 0x7FFFFFFF).astype(np.int64),
        np.where(leaf, np.float32(0), nodes["value"]).astype(np.float32), (nodes["split"] >> 31).astype(bool) & ~leaf,
        value.astype(np.float32), np.array([0]), outputs, features, LT)


__all__ = ["LOG", "LOGIT", "looks_like", "parse"]
