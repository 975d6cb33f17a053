"""TensorFlow's files that attack: nothing is run, nothing outside of the model is read, every end is a typed error."""
from __future__ import annotations

import contextlib
import random
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_graphs import bundle, frozen, graph, node, placeholder, savedmodel, text

import modelport
from modelport.codecs.limits import Limits
from modelport.errors import CorruptFile, LimitExceeded, ModelportError, UnsafeModel, UnsupportedModel
from modelport.formats import tensorflow
from modelport.hub.layout import channels_first

SECRET = "s3cret-s3cret"
RECORDED = Path(__file__).parents[2] / "recorded" / "tensorflow"


def reading(g: Any, secret: Path) -> None:
    """``y`` depends on a file."""
    node(g, "Const", "path", dtype=np.dtype(object), value=text(str(secret)))
    node(g, "ReadFile", "file", "path")


def plain() -> Any:
    g = graph()
    placeholder(g)
    node(g, "Relu", "y", "x", T=np.float32)
    return g


def test_reading_a_file_is_refused(tmp_path: Path) -> None:
    g = plain()
    reading(g, tmp_path / "secret")
    node(g, "StringLength", "n", "file")
    with pytest.raises(UnsafeModel, match="ReadFile at 'file'"):
        tensorflow.read(frozen(g, tmp_path), outputs="n")


def test_a_file_written_for_its_effect_only_is_refused(tmp_path: Path) -> None:
    g = graph()
    placeholder(g)
    node(g, "Const", "path", dtype=np.dtype(object), value=text(str(tmp_path / "made")))
    node(g, "WriteFile", "write", "path", "path")
    node(g, "Relu", "y", "x", "^write", T=np.float32)
    with pytest.raises(UnsafeModel, match="WriteFile"):
        tensorflow.read(frozen(g, tmp_path))
    assert not (tmp_path / "made").exists()


def test_an_unsafe_initialiser_is_refused(tmp_path: Path) -> None:
    g = plain()
    reading(g, tmp_path / "secret")
    node(g, "NoOp", "init", "^file")
    with pytest.raises(UnsafeModel, match=r"loading it would run .*ReadFile"):
        tensorflow.read(savedmodel(g, tmp_path / "m", init="init"))


def test_an_unsafe_restore_is_refused(tmp_path: Path) -> None:
    g = plain()
    node(g, "Placeholder", "saver_filename", dtype=np.dtype(object))
    node(g, "SaveV2", "save", "saver_filename", "saver_filename", "saver_filename")
    node(g, "NoOp", "restore", "^save")
    bundle(tmp_path / "m", {"w": np.zeros(2, np.float32)})
    with pytest.raises(UnsafeModel, match=r"restoring its variables would run .*SaveV2"):
        tensorflow.read(savedmodel(g, tmp_path / "m", restore="restore"))


def test_python_inside_a_function_is_refused(tmp_path: Path) -> None:
    g = graph()
    placeholder(g)
    f = g.library.function.add()
    f.signature.name = "inner"
    f.signature.input_arg.add(name="a", type=1)
    f.signature.output_arg.add(name="b", type=1)
    f.node_def.add(name="py", op="PyFunc", input=["a"])
    f.ret["b"] = "py:output:0"
    node(g, "PartitionedCall", "y", "x", f=("inner",))
    with pytest.raises(UnsafeModel, match="PyFunc at 'inner/py'"):
        tensorflow.read(frozen(g, tmp_path))


def test_a_vocabulary_outside_of_the_assets_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    g = plain()
    node(g, "HashTableV2", "table", key_dtype=np.dtype(object), value_dtype=np.int64)
    node(g, "Const", "path", dtype=np.dtype(object), value=text(str(tmp_path / "secret")))
    node(g, "InitializeTableFromTextFileV2", "fill", "table", "path", key_index=-2, value_index=-1)
    node(g, "NoOp", "init", "^fill")
    with pytest.raises(UnsafeModel, match="none of its assets") as e:
        tensorflow.read(savedmodel(g, tmp_path / "m", init="init"))
    assert SECRET not in str(e.value)


def call_itself(g: Any) -> None:
    placeholder(g)
    f = g.library.function.add()
    f.signature.name = "f"
    f.signature.input_arg.add(name="a", type=1)
    f.signature.output_arg.add(name="b", type=1)
    f.node_def.add(name="again", op="PartitionedCall", input=["a"]).attr["f"].func.name = "f"
    f.ret["b"] = "again:output:0"
    node(g, "PartitionedCall", "y", "x", f=("f",))


def double(g: Any) -> None:
    """Each function calls the next one twice: 2 ** 40 nodes."""
    placeholder(g)
    for k in range(40):
        f = g.library.function.add()
        f.signature.name = f"f{k}"
        f.signature.input_arg.add(name="a", type=1)
        f.signature.output_arg.add(name="b", type=1)
        op = "Relu" if k == 39 else f"f{k + 1}"
        for name, source in (("one", "a"), ("two", "one:b:0" if k < 39 else "one:activations:0")):
            n = f.node_def.add(name=name, op=op, input=[source])
            if k == 39:
                n.attr["T"].type = 1
        f.ret["b"] = "two:b:0" if k < 39 else "two:activations:0"
    node(g, "f0", "y", "x")


def cycle(g: Any) -> None:
    node(g, "Relu", "a", "b", T=np.float32)
    node(g, "Relu", "b", "a", T=np.float32)
    node(g, "Relu", "y", "b", T=np.float32)


def twice(g: Any) -> None:
    placeholder(g)
    node(g, "Relu", "y", "x", T=np.float32)
    node(g, "Relu", "y", "x", T=np.float32)


def dangling(g: Any) -> None:
    node(g, "Relu", "y", "nowhere", T=np.float32)


def beyond(g: Any) -> None:
    placeholder(g)
    node(g, "Relu", "y", "x:7", T=np.float32)


def short_constant(g: Any) -> None:
    placeholder(g)
    made = node(g, "Const", "c", dtype=np.float32, value=np.zeros(4, np.float32))
    made.attr["value"].tensor.tensor_shape.dim[0].size = 1 << 30
    node(g, "AddV2", "y", "x", "c", T=np.float32)


def negative(g: Any) -> None:
    placeholder(g)
    made = node(g, "Const", "c", dtype=np.float32, value=np.zeros(4, np.float32))
    made.attr["value"].tensor.tensor_shape.dim[0].size = -4
    node(g, "AddV2", "y", "x", "c", T=np.float32)


def many_outputs(g: Any) -> None:
    placeholder(g)
    node(g, "Const", "axis", dtype=np.int32, value=np.zeros((), np.int32))
    node(g, "Split", "y", "axis", "x", T=np.float32, num_split=1 << 40)


def lone_merge(g: Any) -> None:
    placeholder(g)
    placeholder(g, "z")
    node(g, "Merge", "m", "x", "z", T=np.float32)
    node(g, "Relu", "y", "m", T=np.float32)


def broken_loop(g: Any) -> None:
    placeholder(g)
    placeholder(g, "p", (), np.bool_)
    node(g, "LoopCond", "go", "p")
    node(g, "Switch", "s", "x", "go", T=np.float32)
    node(g, "Exit", "y", "s", T=np.float32)


ATTACKS: dict[str, Callable[[Any], None]] = {f.__name__: f for f in (
    call_itself, double, cycle, twice, dangling, beyond, short_constant, negative, many_outputs, lone_merge,
    broken_loop)}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_malformed_graph_is_refused(name: str, tmp_path: Path) -> None:
    g = graph()
    ATTACKS[name](g)
    began = time.perf_counter()
    with pytest.raises((CorruptFile, LimitExceeded, UnsupportedModel)):
        modelport.convert(frozen(g, tmp_path), tmp_path / "m.onnx", verify=None, limits=Limits(nodes=100_000),
                          read={"outputs": "y"})
    assert time.perf_counter() - began < 20
    assert not (tmp_path / "m.onnx").exists()


def test_a_deep_chain_needs_no_recursion(tmp_path: Path) -> None:
    g = graph()
    placeholder(g)
    for k in range(3000):
        node(g, "Relu", f"n{k}", f"n{k - 1}" if k else "x", T=np.float32)
    assert len(tensorflow.to_hub(tensorflow.read(frozen(g, tmp_path))).nodes) == 3000


def test_a_bomb_is_not_folded(tmp_path: Path) -> None:
    g = graph()
    placeholder(g, shape=(-1,))
    node(g, "Const", "n", dtype=np.int32, value=np.array([1 << 30, 1 << 10], np.int32))
    node(g, "Const", "v", dtype=np.float32, value=np.zeros((), np.float32))
    node(g, "Fill", "big", "n", "v", T=np.float32, index_type=np.int32)
    node(g, "AddV2", "y", "x", "big", T=np.float32)
    raw = tensorflow.read(frozen(g, tmp_path))
    assert "Fill" in [n.op for n in raw.nodes]


def variable_model(folder: Path, **lies: Any) -> Path:
    g = graph()
    placeholder(g)
    handle = node(g, "VarHandleOp", "w", dtype=np.float32, shared_name="w")
    handle.attr["shape"].shape.dim.add().size = 2
    node(g, "ReadVariableOp", "read", "w", dtype=np.float32)
    node(g, "AddV2", "y", "x", "read", T=np.float32)
    node(g, "Placeholder", "saver_filename", dtype=np.dtype(object))
    for name, value in (("names", "w"), ("slices", "")):
        array = np.empty(1, object)
        array[0] = value
        node(g, "Const", name, dtype=np.dtype(object), value=array)
    restore = node(g, "RestoreV2", "restore_w", "saver_filename", "names", "slices")
    restore.attr["dtypes"].list.type.append(1)
    node(g, "AssignVariableOp", "assign", "w", "restore_w", dtype=np.float32)
    node(g, "NoOp", "restore", "^assign")
    bundle(folder, {"w": np.array([3, 4], np.float32)}, **lies)
    return savedmodel(g, folder, restore="restore")


def test_variables_are_restored(tmp_path: Path) -> None:
    model = modelport.load(variable_model(tmp_path / "m"))
    np.testing.assert_array_equal(model.run(x=np.ones((1, 2), np.float32))["y"], [[4, 5]])


@pytest.mark.parametrize("lies", [
    {"size": 1 << 40}, {"offset": 1 << 40}, {"offset": -4}, {"shard_id": 7}, {"dims": (1 << 40,)}, {"crc32c": 1},
    {"dims": (-2,)}, {"dtype": 99}, {"dtype": 7}], ids=str)
def test_a_checkpoint_that_lies_is_refused(lies: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((CorruptFile, LimitExceeded, UnsupportedModel)):
        modelport.load(variable_model(tmp_path / "m", **lies))


def test_a_shard_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    path = variable_model(tmp_path / "m")
    shard = path / "variables" / "variables.data-00000-of-00001"
    (tmp_path / "elsewhere").write_bytes(shard.read_bytes())
    shard.unlink()
    shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeModel):
        modelport.load(path)


def mutant(data: bytes, rng: random.Random) -> bytes:
    b = bytearray(data)
    if rng.random() < 0.2:
        return bytes(b[:rng.randrange(len(b))])
    for _ in range(rng.randint(1, 6)):
        b[rng.randrange(len(b))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(b)


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.index"])
def test_mutants_end_in_typed_errors(file: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    for name in ("flow", "first", "counter", "vision"):
        with tarfile.open(RECORDED / f"{name}.tar.xz") as tar:
            for member in tar.getmembers():
                target = tmp_path / name / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                target.write_bytes(source.read())
        path = tmp_path / name / file
        whole = path.read_bytes()
        for _ in range(25):
            path.write_bytes(mutant(whole, rng))
            with contextlib.suppress(ModelportError):
                tensorflow.to_hub(tensorflow.read(tmp_path / name))
        path.write_bytes(whole)


@pytest.mark.parametrize("shape", [None, (4,)])
def test_an_image_without_axes_is_refused(shape: tuple[int, ...] | None, tmp_path: Path) -> None:
    g = graph()
    placeholder(g, shape=shape or (2, 2))
    placeholder(g, "s", (-1,), np.int32)
    node(g, "Reshape", "r", "x", "s", T=np.float32, Tshape=np.int32)
    node(g, "LRN", "y", "x" if shape else "r", T=np.float32)
    hub = tensorflow.to_hub(tensorflow.read(frozen(g, tmp_path), inputs=["x", "s"], outputs=["y"]))
    with pytest.raises(UnsupportedModel, match=r"(axes of its input is not known|1 axes)  \(first at 'y'\)"):
        channels_first(hub)


def test_compiled_code_is_refused_with_a_way_out(tmp_path: Path) -> None:
    g = graph()
    placeholder(g)
    node(g, "XlaCallModule", "y", "x")
    with pytest.raises(UnsupportedModel, match=r"XlaCallModule: .* convert its \.keras file"):
        tensorflow.read(frozen(g, tmp_path))
