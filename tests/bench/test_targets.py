"""Where files can be deployed, and the table of frameworks: every answer has its reason, and limits are kept."""
from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import modelport
from modelport import registry
from modelport.bench.targets import FLASH, MICRO, RULES, SOURCES, TARGETS, TENSORRT, deploys, dynamic
from modelport.bench.variants import VARIANTS, chosen
from modelport.bench.ways import WAYS, absent, kind, ways
from modelport.errors import UsageError
from modelport.frameworks import frameworks, text
from modelport.ir.graph import Graph, Node, Value
from modelport.ir.types import Type
from modelport.proof.sides import Side, side

EXAMPLES = Path(__file__).parents[2] / "examples" / "digits"


def one_node(tmp_path: Path, op: str, domain: str = "", **attributes: object) -> Side:
    dims = (1, 4)
    node = helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
                              ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    return side(tmp_path / "m.onnx")


def test_every_format_has_an_answer_and_a_source_for_every_target() -> None:
    for f in registry.FORMATS:
        assert set(RULES[f.name]) == set(TARGETS) and SOURCES[f.name], f.name
        for rule in RULES[f.name].values():
            assert rule.why or rule.check is not None


def test_a_small_integer_network_fits_a_microcontroller() -> None:
    able, why = deploys(side(EXAMPLES / "digits_int8.tflite"), 6_000)["mcu"]
    assert not able and "--batch 1" in why  # its batch is free


def test_a_scalar_is_a_fixed_size() -> None:
    for shape, free in (((), False), ((2, "n"), True), (None, True)):
        assert dynamic(Graph({"x": Value(Type(np.dtype("f4"), shape))}, {})) is free


def test_fixed_sizes_make_it_fit(tmp_path: Path) -> None:
    modelport.convert(EXAMPLES / "digits_int8.tflite", tmp_path / "m.tflite", batch=1)
    found = deploys(side(tmp_path / "m.tflite"), 6_000)
    assert found["mcu"][0] and "all its operators" in found["mcu"][1] and found["browser"][0]
    # as much as the planner of TensorFlow Lite Micro takes (the head of its arena, build of 2026-10-23)
    assert "activations of 1.0 kB" in found["mcu"][1]
    modelport.convert(EXAMPLES / "digits.tflite", tmp_path / "f.tflite", batch=1)
    assert "activations of 3.8 kB" in deploys(side(tmp_path / "f.tflite"), 6_000)["mcu"][1]
    able, why = deploys(side(tmp_path / "m.tflite"), FLASH + 1)["mcu"]
    assert not able and "flash" in why


def test_operators_that_a_target_lacks(tmp_path: Path) -> None:
    s = one_node(tmp_path, "Elu")
    assert "TensorRT" in deploys(s, 100)["jetson"][1] and "lack" not in deploys(s, 100)["jetson"][1]
    able, why = deploys(one_node(tmp_path, "Scaler", "ai.onnx.ml", offset=[0.0], scale=[2.0]), 100)["jetson"]
    assert able and "no Scaler" in why
    assert not deploys(s, 3 << 30)["browser"][0]
    modelport.convert(one_node(tmp_path, "Erf").path, tmp_path / "e.tflite")  # GELU's: many simple operators
    made = side(tmp_path / "e.tflite")
    used = {n.op.rpartition(".")[2] for n in made.raw.walk()} if made.raw is not None else set()
    assert deploys(made, 1000)["mcu"][0] is (used <= MICRO)


def test_the_operator_sets_are_names_of_operators() -> None:
    schemas = {s.name for s in onnx.defs.get_all_schemas()}
    assert len(TENSORRT - schemas) <= 6, TENSORRT - schemas  # newer than the installed onnx
    schema = (Path(modelport.__file__).parent / "codecs" / "schemas" / "tflite.json").read_text()
    known = set(re.findall(r"[A-Z][A-Z0-9_]+", schema))
    assert not MICRO - known, MICRO - known


def test_ways_of_a_file() -> None:
    s = side(EXAMPLES / "digits.tflite")
    assert [w.name for w in ways(s)] == ["tflite", "tflite-reference"] and kind(s) == "tflite"
    assert [w.name for w in ways(s, ("tflite",))] == ["tflite"]
    assert not list(ways(s, (), "cuda")) and not absent([s])


def test_ways_of_devices(tmp_path: Path) -> None:
    s = one_node(tmp_path, "Relu")
    from modelport.runtimes.onnxruntime import devices
    here = {w.device for w in ways(s)}
    assert here <= set(devices()) and "cpu" in here
    assert [w.name for w in ways(s, (), "cuda")] == ["onnxruntime-cuda"]
    if "cuda" not in devices() and sys.platform == "linux":
        assert any("CUDA and TensorRT" in line for line in absent([s]))


def test_variants() -> None:
    assert [v.name for v in chosen(("tfjs",))] == ["tfjs", "tfjs-float16", "tfjs-uint8"]
    assert chosen(()) == VARIANTS
    with pytest.raises(UsageError, match="no variant 'coreml'"):
        chosen(("coreml",))
    for v in VARIANTS:
        assert registry.named(v.format).writes and set(v.options) <= set(registry.named(v.format).write_options)
    command = chosen(("torchscript",))[0].command(Path("m.pt"), "n.pt", None, {"x": (1, 3)}, {
        "inputs": ("float32[1, 3]", "sr=2"), "module": "a b.py:Net"})
    assert command == ("modelport convert m.pt n.pt --shape x=1,3 --inputs 'float32[1, 3],sr=2' --module 'a b.py:Net' "
                       "--to torchscript")
    command = chosen(("tflite-float16",))[0].command(Path("my model.keras"), "m.tflite", 1)
    assert command == "modelport convert 'my model.keras' m.tflite --float16 --batch 1"


def test_which_variant_the_source_is() -> None:
    def like(name: str, format: str, op: str = "aten.relu") -> Side:
        raw = Graph({}, {"y": Node(op, [], {}, [Type(np.dtype("f4"), ())]).outputs[0]})
        return Side(raw, raw, Path(name), format)
    for s, same in ((like("m.pt2", "torch"), {"torch"}), (like("m.pt", "torch"), set()),
                    (like("m.pt", "torch", "torch.TorchScript"), {"torchscript"}), (like("m.pb", "tensorflow"), set()),
                    (like(str(EXAMPLES), "tensorflow"), {"tensorflow"}), (like("m.tflite", "tflite"), {"tflite"})):
        assert {v.name for v in VARIANTS if v.is_of(s)} == same


def test_the_table_of_frameworks() -> None:
    known = frameworks()
    assert [f.format for f in known] == [f.name for f in registry.FORMATS]
    for f in known:
        assert f.good and f.but and f.source and f.get and f.targets
    onnx_ = next(f for f in known if f.format == "onnx")
    assert onnx_.installed["onnxruntime"] and onnx_.reads and onnx_.writes
    said = text(known)
    assert all(f.title in said for f in known) and "None" not in said
    json.dumps([f.as_data() for f in known])


def test_packages_of_node_are_found_without_running_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NODE_PATH", raising=False)
    monkeypatch.setenv("MODELPORT_TFJS", str(tmp_path / "js"))
    assert not next(f for f in frameworks() if f.format == "tfjs").installed
    package = tmp_path / "js" / "node_modules" / "@tensorflow" / "tfjs" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "4.5.6"}')
    assert next(f for f in frameworks() if f.format == "tfjs").installed == {"@tensorflow/tfjs": "4.5.6"}


def test_formats_that_are_written_can_be_timed() -> None:
    timed = {f for w in WAYS for f in w.formats}
    assert {f.name for f in registry.FORMATS if f.writes} <= timed
