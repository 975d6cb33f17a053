"""What is written: names, order, bytes, constants outside, the version of the format."""
from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import X, load, model, run, same, save

from modelport.codecs.mapped import Mapped
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats.onnx import writer
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Node, Value, constant
from modelport.ir.tensor import Tensor
from modelport.ir.types import Type

FLOAT = Type(np.dtype(np.float32), (2, 3))
node = helper.make_node


def graph(outputs: dict[str, Value], *inputs: Value) -> Graph:
    return Graph({v.name: v for v in inputs}, outputs)


def written(folder: Path, hub: Graph, opset: int | None = None) -> onnx.ModelProto:
    return onnx.load(save(folder, format_onnx.from_hub(hub, opset)))


def test_names_are_unique_and_hints_kept(tmp_path: Path) -> None:
    x = Value(FLOAT, "x")
    a, b = op.Neg(x), op.Abs(x)
    a.name = b.name = "x"  # hints may say anything
    w = constant(X, name="y")
    m = written(tmp_path, graph({"y": op.Add(op.Mul(a, b), w)}, x))
    names = [o for n in m.graph.node for o in n.output] + [i.name for i in m.graph.initializer] + ["x"]
    assert len(set(names)) == len(names)
    assert {"x_1", "x_2", "y", "y_1"} <= set(names)
    same(run(m, {"x": X}), [-X * np.abs(X) + X])


def test_outputs_of_every_kind(tmp_path: Path) -> None:
    """An input passed through, under its name and another, a constant, and one value under two names."""
    x = Value(FLOAT, "x")
    y = op.Neg(x)
    m = written(tmp_path, graph({"same": x, "x": x, "c": constant(X), "y": y, "z": y}, x))
    assert [o.name for o in m.graph.output] == ["same", "x", "c", "y", "z"]
    same(run(m, {"x": X}), [X, X, X, -X, -X])


def test_an_input_and_an_output_of_one_name(tmp_path: Path) -> None:
    x = Value(FLOAT, "x")
    with pytest.raises(UnsupportedModel, match="both named"):
        written(tmp_path, graph({"x": op.Neg(x)}, x))


def test_bodies_share_constants_and_may_be_shared(tmp_path: Path) -> None:
    x, c, inner = Value(FLOAT, "x"), Value(Type(np.dtype(bool), ()), "c"), Value(FLOAT, "inner")
    w = constant(np.tile(X, 1), name="w")
    body = Graph({"inner": inner}, {"r": op.Add(inner, w)})
    alone = Graph({"inner": inner}, {"r": inner})
    fixed = Graph({"inner": Value(FLOAT)}, {"r": w})
    ys = [op.If(c, x, then_branch=a, else_branch=b, captures=1) for a, b in ((body, alone), (fixed, body))]
    m = written(tmp_path, graph({"y": op.Sub(op.Add(ys[0], w), ys[1])}, x, c))
    assert len(m.graph.initializer) == 1
    for condition, expected in ((True, X + X + X - X), (False, X + X - (X + X))):
        same(run(m, {"x": X, "c": np.array(condition)}), [expected])


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    x = Value(FLOAT, "x")
    g = graph({"y": op.Add(op.Neg(x), constant(np.ones((2, 3), np.float32)))}, x).with_(
        meta={"onnx:metadata:b": "1", "onnx:metadata:a": "2", "onnx:opset:other": "3"})
    digests = set()
    for external in (False, False, True, True):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        save(folder, format_onnx.from_hub(g), external_data=external)
        digests.add(tuple(hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())))
    assert len(digests) <= 2


def test_constants_in_another_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = ((400, 1000), (30, 30), (3,), (17, 100))
    arrays = [rng.standard_normal(s).astype(np.float32) for s in sizes]
    text = constant(np.array(["a" * 2000], object), name="text")
    x = Value(Type(np.dtype(np.float32), ()), "x")
    g = graph({**{f"y{k}": op.Mul(x, constant(a, name=f"w{k}")) for k, a in enumerate(arrays)}, "t": text}, x)
    path = save(tmp_path, format_onnx.from_hub(g), external_data=True)
    proto = onnx.load(path, load_external_data=False)
    entries = {t.name: {e.key: e.value for e in t.external_data} for t in proto.graph.initializer}
    assert {k for k, e in entries.items() if e} == {"w0", "w1", "w3"}  # the small and the text ones stay inside
    assert all(e["location"] == "target.onnx.data" for e in entries.values() if e)
    assert int(entries["w0"]["offset"]) % 4096 == 0
    assert all(int(e["offset"]) % 64 == 0 for e in entries.values() if e)
    again = format_onnx.read(path)
    for k, a in enumerate(arrays):
        np.testing.assert_array_equal(next(v for v in again.constants if v.name == f"w{k}").numpy(), a)
    same(run(path, {"x": np.array(2, np.float32)})[:4], [2 * a for a in arrays])
    inline = save(tmp_path, format_onnx.from_hub(format_onnx.to_hub(again)))  # and back into one file
    same(run(onnx.load(inline), {"x": np.array(2, np.float32)})[:4], [2 * a for a in arrays])


def test_beyond_two_gigabytes_goes_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is lowered here; the code that obeys it is the same."""
    monkeypatch.setattr(writer, "LARGEST", (1 << 20) + 100_000)
    x = Value(Type(np.dtype(np.float32), (200, 200)), "x")
    g = graph({"y": op.Add(x, constant(np.ones((200, 200), np.float32)))}, x)
    save(tmp_path, format_onnx.from_hub(g), external_data="auto")
    assert (tmp_path / "target.onnx.data").stat().st_size == 160_000
    small = graph({"y": op.Add(x, constant(np.ones(200, np.float32)))}, x)
    (tmp_path / "small").mkdir()
    save(tmp_path / "small", format_onnx.from_hub(small), external_data="auto")
    assert [p.name for p in (tmp_path / "small").iterdir()] == ["target.onnx"]


def test_unchanged_weights_are_copied_not_decoded(tmp_path: Path) -> None:
    w = np.arange(100_000, dtype=np.float32)
    m = model([node("Add", ["x", "w"], ["y"])], {"x": w}, ["y"], 17, initializers={"w": w})
    raw = load(tmp_path, m)
    path = save(tmp_path, format_onnx.from_hub(format_onnx.to_hub(raw)))
    data = raw.constants[0].data
    assert data is not None
    assert callable(data._data)  # nobody has asked for the numbers
    np.testing.assert_array_equal(numpy_helper.to_array(onnx.load(path).graph.initializer[0]), w)


def test_views_are_written_as_they_are_seen(tmp_path: Path) -> None:
    w = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = Value(Type(np.dtype(np.float32), (4, 3, 2)), "x")
    for view in (w.transpose(2, 1, 0), np.broadcast_to(np.float32(3), (4, 3, 2)), w[::-1].transpose(2, 1, 0),
                 w.astype(">f4").transpose(2, 1, 0)):
        seen = Value(Type(np.dtype(np.float32), view.shape), data=Tensor(view, Type(np.dtype(np.float32), view.shape)))
        m = written(tmp_path, graph({"y": op.Add(x, seen)}, x))
        np.testing.assert_array_equal(numpy_helper.to_array(m.graph.initializer[0]), view)


@pytest.mark.parametrize(("opset", "ir"), [(13, 7), (17, 8), (20, 9), (21, 10), (24, 12), (28, 14)])
def test_the_version_of_the_format_fits_the_operator_set(tmp_path: Path, opset: int, ir: int) -> None:
    x = Value(FLOAT, "x")
    m = written(tmp_path, graph({"y": op.Neg(x)}, x), opset)
    assert (m.ir_version, m.opset_import[0].version) == (ir, opset)


def test_the_version_of_the_format_fits_the_element_types(tmp_path: Path) -> None:
    import ml_dtypes
    x = Value(FLOAT, "x")
    q = constant(np.zeros((2, 3)).astype(ml_dtypes.float8_e4m3fn))
    g = graph({"y": op.Add(x, op.DequantizeLinear(q, constant(np.float32(1))))}, x)
    assert written(tmp_path, g, 19).ir_version == 9


def test_absent_inputs_and_outputs(tmp_path: Path) -> None:
    x = Value(Type(np.dtype(np.float32), (2,)), "x")
    clip = op.Clip(x, None, constant(np.float32(0.5)))
    scan = Node("MaxPool", [x], {}, [x.type, x.type])
    assert scan.outputs
    _, indices = op.add("TopK", clip, constant(np.array([1])), outputs=2)
    m = written(tmp_path, graph({"i": indices}, x))
    assert list(m.graph.node[0].input) == ["x", "", m.graph.initializer[0].name]
    same(run(m, {"x": np.array([0.1, 0.9], np.float32)}), [np.array([1])])


def test_the_number_of_parts_survives_unused_ones(tmp_path: Path) -> None:
    x = Value(Type(np.dtype(np.float32), (6,)), "x")
    first, *_ = op.add("Split", x, num_outputs=3, outputs=3)
    for opset in (13, 18):
        same(run(written(tmp_path, graph({"y": first}, x), opset), {"x": np.arange(6, dtype=np.float32)}),
             [np.arange(2, dtype=np.float32)])


def test_the_map_is_let_go(tmp_path: Path) -> None:
    """A descriptor for each model that was read would run out; they close with the last use of the model."""
    m = model([node("Neg", ["x"], ["y"])], {"x": X}, ["y"], 17)
    (tmp_path / "source.onnx").write_bytes(m.SerializeToString())
    fds = {Mapped(tmp_path / "source.onnx").fd for _ in range(50)}
    assert len(fds) <= 2
