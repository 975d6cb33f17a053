"""Operators of others: MediaPipe's against their kernels' arithmetic in numpy, TensorFlow's own, lookup tables."""
from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from modelport import api
from modelport.codecs.flatbuffer import Writer, schema
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tflite
from modelport.formats.tflite.tensors import pack_strings
from modelport.hub.layout import channels_first
from modelport.ir import Graph, Node, Tensor, Type, Value
from modelport.runtimes import start

F32 = np.dtype(np.float32)
RNG = np.random.default_rng(3)


def computed(folder: Path, op: str, arrays: dict[str, np.ndarray], options: bytes, shapes: list[tuple[int, ...]],
             constants: tuple[str, ...] = (), dtype: Any = F32) -> list[np.ndarray]:
    """What ONNX Runtime makes of a file with that one operator."""
    values = {k: Value(Type(a.dtype, a.shape), k, data=Tensor(a) if k in constants else None)
              for k, a in arrays.items()}
    node = Node(op, list(values.values()), {"custom_options": options}, [Type(np.dtype(dtype), s) for s in shapes],
                [f"out{k}" for k in range(len(shapes))])
    inputs = {k: v for k, v in values.items() if k not in constants}
    tflite.write(Graph(inputs, {o.name: o for o in node.outputs}), folder / "m.tflite")
    hub = channels_first(tflite.to_hub(tflite.read(folder / "m.tflite")))
    format_onnx.write(format_onnx.from_hub(hub), folder / "m.onnx")
    made = start("onnxruntime", folder / "m.onnx", optimize=False).run({k: arrays[k] for k in inputs})
    return [made[f"out{k}"] for k in range(len(shapes))]


def windows(size: int, length: int, stride: int, same: bool) -> tuple[int, int]:
    """Number of windows and the pads before them (kernels/padding.h)."""
    count = -(-size // stride) if same else (size - length) // stride + 1
    return count, max(0, ((count - 1) * stride + length - size) // 2)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("length", "stride"), [(2, 2), (3, 2)])
def test_max_pool_with_argmax(tmp_path: Path, same: bool, length: int, stride: int) -> None:
    x = RNG.normal(size=(2, 7, 6, 3)).astype(F32)
    (rows, top), (columns, left) = (windows(n, length, stride, same) for n in x.shape[1:3])
    want, place = np.empty((2, 2, rows, columns, 3), F32)
    for n, r, c, ch in np.ndindex(want.shape):
        best, where = np.float32(-np.inf), 0
        for i, j in np.ndindex(length, length):
            y, z = r * stride - top + i, c * stride - left + j
            if 0 <= y < 7 and 0 <= z < 6 and x[n, y, z, ch] > best:
                best, where = x[n, y, z, ch], i * length + j
        want[n, r, c, ch], place[n, r, c, ch] = best, where + 0.1
    options = struct.pack("<6i", 1 if same else 2, stride, stride, length, length, 0)
    got, at = computed(tmp_path, "custom.MaxPoolingWithArgmax2D", {"x": x}, options, [want.shape, want.shape])
    np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(at, place, rtol=1e-6)


def test_max_unpooling(tmp_path: Path) -> None:
    x = RNG.normal(size=(2, 3, 4, 2)).astype(F32)
    place = RNG.integers(0, 4, x.shape)
    want = np.zeros((2, 6, 8, 2), F32)
    for n, r, c, ch in np.ndindex(x.shape):
        want[n, 2 * r + place[n, r, c, ch] // 2, 2 * c + place[n, r, c, ch] % 2, ch] = x[n, r, c, ch]
    got, = computed(tmp_path, "custom.MaxUnpooling2D", {"x": x, "where": (place + 0.1).astype(F32)},
                    struct.pack("<5i", 1, 2, 2, 2, 2), [want.shape])
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (3, 1)])
def test_transpose_conv_with_bias(tmp_path: Path, same: bool, kernel: int, stride: int) -> None:
    x = RNG.normal(size=(1, 3, 4, 2)).astype(F32)
    w, b = RNG.normal(size=(5, kernel, kernel, 2)).astype(F32), RNG.normal(size=5).astype(F32)
    total = [max(0, kernel - (n - 1) % stride - 1) if same else 0 for n in x.shape[1:3]]
    rows, columns = (stride * (n - 1) + kernel - t for n, t in zip(x.shape[1:3], total, strict=True))
    want = np.tile(b, (1, rows, columns, 1))
    for r, c, i, j in np.ndindex(3, 4, kernel, kernel):
        y, z = r * stride - total[0] // 2 + i, c * stride - total[1] // 2 + j
        if 0 <= y < rows and 0 <= z < columns:
            want[0, y, z] += w[:, i, j] @ x[0, r, c]
    got, = computed(tmp_path, "custom.Convolution2DTransposeBias", {"x": x, "w": w, "b": b},
                    struct.pack("<3i", 1 if same else 2, stride, stride), [want.shape], ("w", "b"))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def flex(**entries: Any) -> bytes:
    b = flexbuffers.Builder()
    with b.Map():
        for key, value in entries.items():
            if isinstance(value, str):
                b.String(key, value)
            elif isinstance(value, float):
                b.Float(key, value)
            elif isinstance(value, list):
                b.TypedVectorFromElements(key, value)
            else:
                b.Int(key, value)
    return bytes(b.Finish())


@pytest.mark.parametrize("centred", [True, False])
def test_transform_tensor(tmp_path: Path, centred: bool) -> None:
    x = RNG.normal(size=(1, 6, 7, 2)).astype(F32)
    m = np.eye(4, dtype=F32)
    m[0, :4], m[1, :4] = [0.9, 0.2, 0, 0.3], [-0.3, 1.1, 0, 0.6]
    want = np.zeros((1, 5, 8, 2), F32)
    half = 0.5 if centred else 0.0
    for r, c in np.ndindex(5, 8):
        px = m[0, 0] * (c + half) + m[0, 1] * (r + half) + m[0, 3] - half
        py = m[1, 0] * (c + half) + m[1, 1] * (r + half) + m[1, 3] - half
        if 0 <= px <= 6 and 0 <= py <= 5:
            i, j = int(np.floor(py)), int(np.floor(px))
            for di, dj in np.ndindex(2, 2):
                if i + di < 6 and j + dj < 7:
                    weight = (py - i if di else 1 - (py - i)) * (px - j if dj else 1 - (px - j))
                    want[0, r, c] += np.float32(weight) * x[0, i + di, j + dj]
    name = "custom.TransformTensorBilinear" if centred else "custom.TransformTensor"
    got, = computed(tmp_path, name, {"x": x, "m": m.reshape(1, 4, 4)},
                    flex(mode="bilinear", output_size=[5, 8]), [want.shape])
    np.testing.assert_allclose(got, want, atol=2e-5)
    assert (want == 0).any() and (want != 0).any()


@pytest.mark.parametrize(("shape", "size", "scale"), [((1, 1, 1, 12), 3, 2.0), ((1, 1, 1, 12), 2, 1.0),
                                                      ((1, 4, 3), 3, 5.0)])
def test_transform_landmarks(tmp_path: Path, shape: tuple[int, ...], size: int, scale: float) -> None:
    x, m = RNG.normal(size=shape).astype(F32), RNG.normal(size=(1, 4, 4)).astype(F32)
    points = x.reshape(-1, size).copy()
    shift = m[0, :2, 3] * (scale if len(shape) == 4 else 1)
    points[:, :2] = points[:, :2] @ m[0, :2, :2].T + shift
    got, = computed(tmp_path, "custom.TransformLandmarks", {"x": x, "m": m}, flex(dimensions=size, scale=scale),
                    [shape])
    np.testing.assert_allclose(got, points.reshape(shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "same"), [
    ("Softplus", lambda x: np.log1p(np.exp(x))), ("Tan", np.tan), ("Rsqrt", lambda x: 1 / np.sqrt(x)),
    ("Asinh", np.arcsinh), ("Square", np.square), ("Relu6", lambda x: np.clip(x, 0, 6)), ("Atan", np.arctan),
    ("Inv", np.reciprocal), ("Softsign", lambda x: x / (1 + x))])
def test_functions_of_tensorflow(tmp_path: Path, name: str, same: Callable[[np.ndarray], np.ndarray]) -> None:
    x = RNG.uniform(0.1, 9, (2, 5)).astype(F32)
    got, = computed(tmp_path, "flex." + name, {"x": x}, b"", [(2, 5)])
    np.testing.assert_allclose(got, same(x.astype(np.float64)), rtol=2e-6)


def test_what_is_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"flex\.TensorListReserve"):
        computed(tmp_path, "flex.TensorListReserve", {"x": np.zeros(2, F32)}, b"", [(2,)])


def table_file(path: Path) -> None:
    """Numbers to words by a table that CALL_ONCE fills."""
    handle = {"name": "h", "shape": [1], "type": "RESOURCE"}
    table = {"opcode_index": 1, "outputs": [1], "builtin_options_type": "HashtableOptions",
             "builtin_options": {"table_id": 4, "key_dtype": "INT64", "value_dtype": "STRING"}}
    once = {"opcode_index": 0, "builtin_options_type": "CallOnceOptions", "builtin_options": {"init_subgraph_index": 1}}
    main = {"tensors": [{"name": "x", "shape": [3], "type": "INT64"}, handle,
                        {"name": "unknown", "shape": [1], "type": "STRING", "buffer": 3},
                        {"name": "y", "shape": [3], "type": "STRING"}], "inputs": [0], "outputs": [3],
            "operators": [once, table, {"opcode_index": 2, "inputs": [1, 0, 2], "outputs": [3]}]}
    init = {"tensors": [{"name": "keys", "shape": [2], "type": "INT64", "buffer": 1}, handle,
                        {"name": "values", "shape": [2], "type": "STRING", "buffer": 2}],
            "operators": [table, {"opcode_index": 3, "inputs": [1, 0, 2]}]}
    codes = ["CALL_ONCE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT"]
    words = pack_strings(np.array(["seven", "one"], object)), pack_strings(np.array(["?"], object))
    fields = {"version": 3, "subgraphs": [main, init], "buffers": [
        {}, {"data": np.array([7, 1], "<i8").tobytes()}, {"data": words[0]}, {"data": words[1]}],
        "operator_codes": [{"builtin_code": c, "deprecated_builtin_code": 127, "version": 1} for c in codes]}
    with open(path, "wb") as f:
        Writer(schema("tflite")).write(fields, f)


def test_a_lookup_table(tmp_path: Path) -> None:
    """LiteRT has kernels for tables of int64 and text, and finds the same."""
    path = tmp_path / "table.tflite"
    table_file(path)
    x = np.array([7, 1, 99], np.int64)
    want = next(iter(start("tflite", path).run({"x": x}).values()))
    model = api.load(path)
    assert [n.op for n in model.graph.nodes] == ["ai.onnx.ml.LabelEncoder"]
    got = next(iter(model.run(x).values()))
    assert got.tolist() == want.tolist() == ["seven", "one", "?"]
