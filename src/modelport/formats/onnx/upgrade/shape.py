"""Old forms of operators that move and resize: what was an attribute is an input now."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import Tensor
from ....ir.types import DTYPE, NUMBER, STRING
from .table import below

Ints = tuple[int, ...]
ALWAYS = 1 << 30


def ints(values: Ints) -> Value:
    return constant(np.array(values, np.int64))


@below(ALWAYS, "Constant")
def constant_(op: Builder, *, value: Tensor | None = None, sparse_value: Tensor | None = None,
              value_float: float | None = None, value_floats: tuple[float, ...] | None = None,
              value_int: int | None = None, value_ints: Ints | None = None, value_string: str | None = None,
              value_strings: tuple[str, ...] | None = None) -> Value:
    """In the hub a constant is a value without a node."""
    for data in (value, sparse_value):
        if data is not None:
            return Value(data.type, data=data)
    for number, dtype in ((value_float, np.float32), (value_floats, np.float32), (value_int, np.int64),
                          (value_ints, np.int64)):
        if number is not None:
            return constant(np.array(number, dtype))
    text = value_string if value_string is not None else value_strings
    if text is None:
        raise Unsupported("no value is given")
    return constant(np.array(text, STRING))


@below(5, "Reshape")
def reshape(op: Builder, x: Value, *, shape: Ints, consumed_inputs: Ints = ()) -> Value:
    made: Value = op.Reshape(x, ints(shape))
    return made


@below(10, "Slice")
def slice_(op: Builder, x: Value, *, starts: Ints, ends: Ints, axes: Ints | None = None) -> Value:
    made: Value = op.Slice(x, ints(starts), ints(ends), None if axes is None else ints(axes))
    return made


@below(10, "DynamicSlice")
def dynamic_slice(op: Builder, x: Value, starts: Value, ends: Value, axes: Value | None = None) -> Value:
    made: Value = op.Slice(x, starts, ends, axes)
    return made


@below(2, "Split")
def split_1(op: Builder, x: Value, lengths: Value | None = None, *, axis: int = 0, split: Ints | None = None) -> Any:
    """The lengths were an input, of the type of the data, or an attribute."""
    if lengths is not None and split is not None:
        raise Unsupported("the lengths are given twice")
    if lengths is not None and lengths.dtype != np.int64:
        lengths = op.Cast(lengths, to=NUMBER[np.dtype(np.int64)]) if lengths.data is None else constant(
            lengths.numpy().astype(np.int64))
    return _split(op, x, lengths, axis=axis, split=split)


@below(13, "Split")
def split_2(op: Builder, x: Value, *, axis: int = 0, split: Ints | None = None) -> Any:
    return _split(op, x, axis=axis, split=split)


def _split(op: Builder, x: Value, lengths: Value | None = None, *, axis: int = 0, split: Ints | None = None) -> Any:
    if split:
        lengths = ints(split)
    assert op.node is not None
    n = len(op.node.outputs)
    if lengths is not None:
        return op.add("Split", x, lengths, axis=axis, outputs=n)
    return op.add("Split", x, axis=axis, num_outputs=n, outputs=n)


@below(18, "Split")
def split_13(op: Builder, x: Value, split: Value | None = None, *, axis: int = 0) -> Any:
    """Without lengths the parts were equal, as many as outputs."""
    return _split(op, x, split, axis=axis)


@below(13, "Squeeze")
def squeeze(op: Builder, x: Value, *, axes: Ints | None = None) -> Value:
    made: Value = op.Squeeze(x, None if axes is None else ints(axes))
    return made


@below(13, "Unsqueeze")
def unsqueeze(op: Builder, x: Value, *, axes: Ints) -> Value:
    made: Value = op.Unsqueeze(x, ints(axes))
    return made


@below(2, "Pad")
def pad_1(op: Builder, x: Value, *, paddings: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    return pad_2(op, x, pads=paddings, mode=mode, value=value)


@below(11, "Pad")
def pad_2(op: Builder, x: Value, *, pads: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    fill = constant(np.array(value, x.dtype)) if mode == "constant" and value else None
    made: Value = op.Pad(x, ints(pads), fill, mode=mode)
    return made


@below(6, "Tile")
def tile(op: Builder, x: Value, tiles: Value, axis: Value) -> Value:
    """One axis was repeated."""
    if x.rank is None:
        raise Unsupported("repeating an axis of a value of unknown rank")
    repeats = np.ones(x.rank, np.int64)
    repeats[int(static(axis, "the axis").item())] = int(static(tiles, "the number of tiles").item())
    made: Value = op.Tile(x, repeats)
    return made


@below(4, "Concat")
def concat(op: Builder, *x: Value, axis: int = 1) -> Value:
    made: Value = op.Concat(*x, axis=axis)
    return made


@below(10, "TopK")
def topk(op: Builder, x: Value, *, k: int, axis: int = -1) -> Any:
    return op.TopK(x, ints((k,)), axis=axis, outputs=2)


@below(11, "Scatter")
def scatter(op: Builder, x: Value, indices: Value, updates: Value, *, axis: int = 0) -> Value:
    """Renamed."""
    made: Value = op.ScatterElements(x, indices, updates, axis=axis)
    return made


@below(11, "OneHot")
def one_hot(op: Builder, indices: Value, depth: Value, values: Value, *, axis: int = -1) -> Value:
    """Negative indices were out of range, which gives all off; now they count from the end."""
    signed = indices.dtype.kind not in "ub"
    if signed and (indices.data is None or (indices.numpy() < 0).any()):
        beyond = op.Cast(op.Reshape(depth, ints(())), to=NUMBER[indices.dtype])
        indices = op.Where(op.Less(indices, np.zeros((), indices.dtype)), beyond, indices)
    made: Value = op.OneHot(indices, depth, values, axis=axis)
    return made


@below(7, "Upsample")
def upsample_1(op: Builder, x: Value, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Value:
    """NCHW only."""
    scales = constant(np.array([1, 1, height_scale, width_scale], np.float32))
    return upsample_9(op, x, scales, mode="linear" if mode == "bilinear" else mode)


@below(9, "Upsample")
def upsample_7(op: Builder, x: Value, *, scales: tuple[float, ...], mode: str = "nearest") -> Value:
    return upsample_9(op, x, constant(np.array(scales, np.float32)), mode=mode)


@below(10, "Upsample")
def upsample_9(op: Builder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    """Element i of an axis was taken from i / scale, rounded down or interpolated."""
    made: Value = op.Resize(x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric",
                            nearest_mode="floor")
    return made


@below(11, "Resize")
def resize_10(op: Builder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    """As Upsample, but an axis that shrinks was rounded up (ONNX's cases of operator set 10, and ONNX Runtime)."""
    if mode != "nearest":
        return upsample_9(op, x, scales, mode=mode)
    factors = static(scales, "the scales").astype(np.float32)
    grow, shrink = np.maximum(factors, 1), np.minimum(factors, 1)
    y = x
    if (grow > 1).any() or not (shrink < 1).any():
        y = upsample_9(op, y, constant(grow), mode=mode)
    if (shrink < 1).any():
        y = op.Resize(y, None, constant(shrink), mode=mode, coordinate_transformation_mode="asymmetric",
                      nearest_mode="ceil")
    return y


@below(13, "Resize")
def resize_11(op: Builder, x: Value, roi: Value | None, scales: Value | None = None, sizes: Value | None = None,
              **attrs: Any) -> Value:
    """An empty ``roi`` or ``scales`` stood for an absent one."""
    def given(v: Value | None) -> Value | None:
        return None if v is not None and v.type.size == 0 else v
    if sizes is not None:
        scales = None
    made: Value = op.Resize(x, given(roi), given(scales), sizes, **attrs)
    return made


@below(10, "Crop")
def crop(op: Builder, x: Value, *, border: Ints, scale: Ints | None = None) -> Value:
    """NCHW without ``border`` (left, top, right, bottom), or ``scale`` (height, width) from there (experimental)."""
    left, top, right, bottom = border
    if scale is not None:
        height, width = scale
        made: Value = op.Slice(x, ints((top, left)), ints((top + height, left + width)), ints((2, 3)))
    else:
        far = np.iinfo(np.int64).max
        made = op.Slice(x, ints((top, left)), ints((-bottom or far, -right or far)), ints((2, 3)))
    return made


@below(10, "GivenTensorFill")
def given_tensor_fill(op: Builder, shape: Value | None = None, *, values: tuple[float, ...], extra_shape: Ints = (),
                      input_as_shape: int = 0, **attrs: Any) -> Value:
    dims = attrs.pop("shape", None)
    if shape is not None or attrs or extra_shape or input_as_shape or dims is None:
        raise Unsupported("with a shape that is computed")
    return constant(np.array(values, np.float32).reshape(dims))


@below(10, "ConstantFill")
def constant_fill(op: Builder, x: Value | None = None, *, value: float = 0.0, dtype: int = 1, input_as_shape: int = 0,
                  extra_shape: Ints = (), shape: Ints | None = None) -> Value:
    """A value in the shape that an attribute, an input or the shape of an input says (experimental)."""
    if extra_shape:
        raise Unsupported("extra_shape")
    if dtype not in DTYPE:
        raise Unsupported(f"element type {dtype}")
    dims = ints(shape or ()) if x is None else x if input_as_shape else op.Shape(x)
    if dims.dtype != np.int64:
        dims = op.Cast(dims, to=7)
    made: Value = op.ConstantOfShape(dims, value=Tensor(np.array([value], DTYPE[dtype])))
    return made
