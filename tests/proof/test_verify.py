"""Whole verifications: levels, reports, reruns and repros, over files."""
from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from graphs import ROWS, graph, w
from mutants import EVEN, conv

from modelport.errors import UsageError, VerificationFailed
from modelport.formats import onnx as onnx_format
from modelport.hub import layout
from modelport.hub.infer import builder
from modelport.ir.graph import Graph, Node, Value, rebuild
from modelport.ir.types import Type
from modelport.proof import Feed, bisect, layers, noise, rerun, verify
from modelport.proof.compare import BARS, compare
from modelport.proof.sides import Runners

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
TINY = CORPUS / "tflite/mlcommons__tiny/benchmark/training"


def write(g: Graph, path: Path, **options: Any) -> Path:
    onnx_format.write(onnx_format.from_hub(g), path, **options)
    return path


@pytest.fixture
def net() -> Graph:
    return graph(lambda op, x: op.Softmax(op.Gemm(op.Relu(op.Gemm(x, w(6, 16), w(16))), w(16, 4), w(4))), x=ROWS)


@pytest.fixture
def files(net: Graph, tmp_path: Path) -> tuple[Path, Path]:
    return write(net, tmp_path / "a.onnx"), write(net, tmp_path / "b.onnx")


def test_two_files_are_proven(files: tuple[Path, Path]) -> None:
    r = verify(*files)
    assert (r.verdict, r.level, r.ok, r.proven) == ("pass", "L2", True, True)
    assert r.headline().startswith("proven (L2): ")
    assert "labels" in r.headline()
    assert r.source.runtime == r.target.runtime == "ONNX Runtime"
    assert [f.sha256 for f in r.source.files] != []
    assert sum(f.rows for f in r.feeds) > 100


def test_a_graph_in_memory_proves_no_more_than_the_writer(net: Graph, files: tuple[Path, Path]) -> None:
    r = verify(net, files[1], isolated=False)
    assert (r.verdict, r.level, r.proven) == ("pass", "L1", False)
    assert "proven" not in r.headline().replace("not proven", "")
    assert "in memory" in r.why_not_higher


def test_level_asked_for_bounds_the_level_reached(files: tuple[Path, Path]) -> None:
    assert verify(*files, level="L0").level == "L0"
    r = verify(*files, level="L1", isolated=False)
    assert r.level == "L1"
    assert "asked for" in r.why_not_higher
    with pytest.raises(UsageError, match="no level"):
        verify(*files, level="L9")
    with pytest.raises(UsageError, match="golden"):
        verify(*files, level="L3")


def test_a_difference_is_found_and_said(net: Graph, files: tuple[Path, Path], tmp_path: Path) -> None:
    bias = w(4) * np.float32(1.01)
    other = graph(lambda op, x: op.Softmax(op.Gemm(op.Relu(op.Gemm(x, w(6, 16), w(16))), w(16, 4), bias)), x=ROWS)
    r = verify(files[0], write(other, tmp_path / "c.onnx"))
    assert (r.verdict, r.ok) == ("fail", False)
    assert r.headline().startswith("DIFFERENT (L2): output 'out'")
    assert "worst: feed" in r.text()


def test_interfaces_are_matched_by_name_then_position_never_guessed(net: Graph, tmp_path: Path) -> None:
    a = write(net, tmp_path / "a.onnx")
    renamed = write(net.with_(outputs={"scores": net.outputs["out"]}), tmp_path / "b.onnx")
    r = verify(a, renamed, isolated=False)
    assert r.verdict == "pass"
    assert any("by position" in n for n in r.notes)
    two = graph(lambda op, x: (op.Relu(x), op.Neg(x)), x=ROWS)
    r = verify(a, write(two, tmp_path / "c.onnx"), isolated=False)
    assert r.verdict == "fail"
    assert "2" in r.outputs[0].reason
    last = graph(lambda op, x: op.Transpose(op.Relu(x), perm=[0, 2, 3, 1]), x=EVEN)
    first = graph(lambda op, x: op.Relu(x), x=EVEN)
    assert verify(first, last, isolated=False).verdict == "fail"


def test_a_target_with_fewer_free_dimensions(net: Graph, tmp_path: Path) -> None:
    fixed = graph(lambda op, x: op.Softmax(op.Gemm(op.Relu(op.Gemm(x, w(6, 16), w(16))), w(16, 4), w(4))), x=(1, 6))
    r = verify(write(net, tmp_path / "a.onnx"), write(fixed, tmp_path / "b.onnx"), isolated=False)
    assert r.verdict == "pass", r.text()


def test_a_target_that_its_runtime_refuses_fails(net: Graph, files: tuple[Path, Path], tmp_path: Path) -> None:
    fixed = graph(lambda op, x: op.Reshape(op.Reshape(x, np.array([-1, 6])), np.array([2, 6])), x=ROWS)
    write(fixed, tmp_path / "c.onnx")
    same = graph(lambda op, x: op.Identity(x), x=ROWS)
    r = verify(write(same, tmp_path / "d.onnx"), tmp_path / "c.onnx", isolated=False)
    assert r.verdict == "fail"
    assert "the target fails" in r.outputs[0].reason


def test_inputs_that_the_source_refuses_are_reported_not_failed(tmp_path: Path) -> None:
    picky = graph(lambda op, x: op.Reshape(x, np.array([2, 3])), x=("N", 3))
    r = verify(write(picky, tmp_path / "a.onnx"), write(picky, tmp_path / "b.onnx"))
    assert r.verdict == "pass"
    assert any(f.outcome == "undefined" for f in r.feeds)
    assert any("undefined in the source" in x for x in r.not_tested)


def test_golden_outputs_are_level_3(files: tuple[Path, Path], tmp_path: Path) -> None:
    from modelport.runtimes import start
    x = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    y = start("onnxruntime", files[0]).run({"x": x})["out"]
    np.savez(tmp_path / "x.npz", x=x)
    np.savez(tmp_path / "y.npz", out=y)
    np.savez(tmp_path / "wrong.npz", out=y[::-1].copy())
    good = verify(*files, golden=(tmp_path / "x.npz", tmp_path / "y.npz"), isolated=False)
    assert (good.verdict, good.level, good.proven) == ("pass", "L3", True)
    assert verify(*files, golden=(tmp_path / "x.npz", tmp_path / "wrong.npz"), isolated=False).verdict == "fail"


def test_a_sample_without_pickles(files: tuple[Path, Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.ones((4, 6), np.float32))
    r = verify(*files, sample=tmp_path / "s.npz", isolated=False)
    assert r.feeds[0].name == "sample"
    np.save(tmp_path / "evil.npz", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot read"):
        verify(*files, sample=tmp_path / "evil.npz", isolated=False)


def test_lower_precision_is_held_to_its_own_bar(net: Graph, tmp_path: Path) -> None:
    half = graph(lambda op, x: op.Cast(op.Softmax(op.Gemm(op.Relu(op.Gemm(
        op.Cast(x, to=10), w(6, 16).astype(np.float16), w(16).astype(np.float16))), w(16, 4).astype(np.float16),
        w(4).astype(np.float16))), to=1), x=ROWS)
    r = verify(net, half, isolated=False)
    assert r.verdict == "pass", r.text()
    assert r.outputs[0].bar["name"] == "float16"
    assert any("lower than the source" in x for x in r.not_tested)


class TestReport:
    def test_json_is_canonical_and_the_signed_part_repeats(self, files: tuple[Path, Path]) -> None:
        one, two = verify(*files).to_json(), verify(*files).to_json()
        a, b = json.loads(one), json.loads(two)
        assert json.dumps(a["signed"], sort_keys=True) == json.dumps(b["signed"], sort_keys=True)
        assert one == json.dumps(a, sort_keys=True, indent=1) + "\n"
        assert "NaN" not in one
        assert "Infinity" not in one
        assert str(files[0].parent) not in json.dumps(a["signed"])
        assert a["unsigned"]["seconds"] > 0

    def test_external_data_is_part_of_the_digest(self, net: Graph, tmp_path: Path) -> None:
        big = graph(lambda op, x: op.Gemm(x, w(6, 600), w(600)), x=ROWS)
        a, b = write(big, tmp_path / "a.onnx"), write(big, tmp_path / "b.onnx", external_data=True)
        r = verify(a, b)
        assert r.verdict == "pass"
        assert [f.name for f in r.target.files] == ["b.onnx", "b.onnx.data"]
        assert verify(b, a).proven  # a source with external data runs as a copy

    def test_rerun_gives_the_same_verdict(self, files: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "r.json").write_text(verify(*files).to_json())
        again = rerun(tmp_path / "r.json")
        assert again.same
        assert again.remarks == ()
        assert "same verdict" in again.text()

    def test_rerun_finds_files_beside_the_report_after_a_move(self, files: tuple[Path, Path], tmp_path: Path) -> None:
        moved = tmp_path / "moved"
        moved.mkdir()
        (moved / "r.json").write_text(verify(*files, isolated=False).to_json())
        for f in files:
            f.rename(moved / f.name)
        assert rerun(moved / "r.json", isolated=False).same

    def test_rerun_refuses_another_file(self, net: Graph, files: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "r.json").write_text(verify(*files, isolated=False).to_json())
        other = graph(lambda op, x: op.Softmax(op.Gemm(x, w(6, 4), w(4))), x=ROWS)
        write(other, files[1])
        with pytest.raises(VerificationFailed, match="not the target of the report"):
            rerun(tmp_path / "r.json", isolated=False)
        files[1].unlink()
        with pytest.raises(UsageError, match="is not here"):
            rerun(tmp_path / "r.json", isolated=False)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"signed": {"schema": "x"}}',
                                      '{"signed": {"schema": "modelport/verification/v1"}}'])
    def test_rerun_refuses_what_is_no_report(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(UsageError):
            rerun(tmp_path / "r.json")


def swapped(g: Graph, op: str, change: Any) -> Graph:
    """The graph with its first node of that operator changed."""
    done: list[Node] = []

    def rule(node: Node) -> Any:
        if node.op.removeprefix("nhwc.") != op or done:
            return None
        done.append(node)
        return change(node)
    out = rebuild(g, rule)
    assert done
    return out


class TestBisect:
    def test_equal_models_have_no_first_difference(self, files: tuple[Path, Path]) -> None:
        assert bisect(*files, isolated=False) is None

    def test_repro_shows_the_difference(self, tmp_path: Path) -> None:
        import onnxruntime
        g = graph(lambda op, x: op.Relu(op.Conv(op.Neg(x), w(4, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1])), x=EVEN)
        for n in g.nodes:
            n.outputs[0].name = n.op.lower()
        bad = swapped(g, "Conv", lambda n: n.with_(attrs={**n.attrs, "pads": (1, 1, 0, 0)}).outputs)
        found = bisect(write(g, tmp_path / "a.onnx"), write(bad, tmp_path / "b.onnx"), repro=tmp_path / "repro")
        assert found is not None
        assert (found.op, found.value, found.stage) == ("Conv", "conv", "writer")
        assert "Conv" in found.text()
        s = onnxruntime.InferenceSession(str(tmp_path / "repro" / "repro.onnx"))
        got = s.run(None, dict(np.load(tmp_path / "repro" / "inputs.npz")))[0]
        np.testing.assert_allclose(got, np.load(tmp_path / "repro" / "expected.npz")["out"], rtol=1e-5, atol=1e-5)
        assert sum(f.stat().st_size for f in (tmp_path / "repro").iterdir()) < 1 << 20

    def test_a_mistake_of_the_reader_is_the_readers(self, tmp_path: Path) -> None:
        g = graph(lambda op, x: op.Tanh(op.Conv(op.Neg(x), w(4, 3, 3, 3), w(4))), x=EVEN)
        for n in g.nodes:
            n.outputs[0].name = n.op.lower()
        path = write(g, tmp_path / "a.onnx")
        raw = onnx_format.read(path)
        hub = swapped(onnx_format.to_hub(raw), "Tanh",
                      lambda n: Node("Softsign", n.inputs, {}, [n.outputs[0].type], ["tanh"]).outputs)
        source = SimpleNamespace(graph=hub, raw=raw, path=path, format="onnx")
        target = write(hub, tmp_path / "b.onnx")
        assert verify(source, target).verdict == "fail"
        found = bisect(source, target)
        assert found is not None
        assert (found.stage, found.value) == ("reader", "tanh")

    def test_a_mistake_of_a_pass_is_the_passes(self, tmp_path: Path) -> None:
        g = graph(conv(), x=EVEN)
        g.nodes[0].outputs[0].name = "conv"
        bad = swapped(g, "Conv", lambda n: n.with_(inputs=n.inputs[:2]).outputs)
        found = bisect(write(g, tmp_path / "a.onnx"), write(bad, tmp_path / "b.onnx"), hub=bad)
        assert found is not None
        assert found.stage == "passes"


@needs_corpus
class TestLiteRT:
    """TensorFlow Lite files against the ONNX made of them, on the official runtime."""

    @staticmethod
    def source(name: str) -> SimpleNamespace:
        pytest.importorskip("ai_edge_litert")
        from modelport.formats import tflite
        path = TINY / name
        raw = tflite.read(path)
        return SimpleNamespace(graph=tflite.to_hub(raw), raw=raw, path=path, format="tflite")

    @staticmethod
    def target(g: Graph, path: Path) -> Path:
        return write(layout.channels_first(g), path)

    @pytest.mark.parametrize(("name", "layered"), [
        ("image_classification/trained_models/pretrainedResnet.tflite", False),
        ("image_classification/trained_models/pretrainedResnet_quant.tflite", True),
        ("anomaly_detection/trained_models/ad01_int8.tflite", False),
        ("keyword_spotting/trained_models/kws_ref_model_float32.tflite", True)])
    def test_correct_conversions_are_proven(self, name: str, layered: bool, tmp_path: Path) -> None:
        s = self.source(name)
        r = verify(s, self.target(s.graph, tmp_path / "t.onnx"))
        assert r.proven, r.text()
        assert bool(r.layers) is layered, r.text()
        assert r.source.runtime == "LiteRT"

    def test_layers_that_have_no_room_are_compared_in_parts(self, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
        s = self.source("image_classification/trained_models/pretrainedResnet_quant.tflite")
        target = self.target(s.graph, tmp_path / "t.onnx")
        whole = verify(s, target).layers
        parts: list[Any] = []
        one = layers._part
        monkeypatch.setattr(layers, "_part", lambda *args: parts.append(args) or one(*args))
        monkeypatch.setattr(layers, "ROOM", 100_000)
        some = verify(s, target).layers
        assert len(parts) > 2
        assert whole.startswith("each of ")
        assert some.startswith(whole.partition(" layers")[0] + " layers")  # as many, and none differs

    @pytest.mark.parametrize("name", [pytest.param("pretrainedResnet.tflite", marks=pytest.mark.slow),
                                      "pretrainedResnet_quant.tflite"])
    @pytest.mark.parametrize(("op", "change"), [
        ("Conv", lambda n: n.with_(attrs={**n.attrs, "auto_pad": "SAME_LOWER"}).outputs
         if n.attrs.get("auto_pad") == "SAME_UPPER" else n.with_(inputs=n.inputs[:2]).outputs),
        ("Softmax", lambda n: Node("LogSoftmax", n.inputs, n.attrs, [n.outputs[0].type]).outputs)])
    def test_mistakes_of_the_reader_are_caught_and_found(self, name: str, op: str, change: Any, tmp_path: Path) -> None:
        good = self.source("image_classification/trained_models/" + name)
        bad = swapped(good.graph, op, change)
        s = SimpleNamespace(graph=bad, raw=good.raw, path=good.path, format="tflite")
        target = self.target(bad, tmp_path / "t.onnx")
        r = verify(s, target)
        assert r.verdict == "fail", r.text()
        found = bisect(s, target)
        assert found is not None
        assert found.stage == "reader"
        assert any(op in line or "LogSoftmax" in line for line in found.nodes), found.text()

    def test_a_mistake_of_the_writer_is_not_hidden_by_the_layers(self, tmp_path: Path) -> None:
        s = self.source("image_classification/trained_models/pretrainedResnet_quant.tflite")
        bad = swapped(s.graph, "Softmax", lambda n: Node("LogSoftmax", n.inputs, n.attrs, [n.outputs[0].type]).outputs)
        r = verify(s, self.target(bad, tmp_path / "t.onnx"))
        assert r.verdict == "fail", r.text()


class TestRounding:
    """How far roundings of layers can carry."""

    def test_layers_that_agree_do_not_explain_what_no_rounding_makes(self, tmp_path: Path) -> None:
        op = builder()
        x = Value(Type(np.dtype(np.float32), ("n", 2)), "x")
        graph = Graph({"x": x}, {"y": op.Mul(x, np.float32(3))})
        feed = Feed("ordinary", "ordinary", {"x": np.float32([[1, 2], [3, 4]])}, 2)

        def gentle(arrays: Any) -> Any:
            return {"y": arrays["x"] * 3}

        def wild(arrays: Any) -> Any:  # a last bit of the input becomes a tenth
            return {"y": np.sin(arrays["x"].astype(np.float64) * 1e6).astype(np.float32)}

        def off(by: float) -> Any:
            return lambda arrays: {"y": gentle(arrays)["y"] + np.float32(by * 9)}  # 9: its range
        runners = Runners(tmp_path, isolated=False)

        def far(again: Any, by: float) -> bool:
            return noise.too_far(graph, [(feed, "y")], again, off(by), runners)
        assert far(gentle, 55.0)
        assert far(gentle, 1e-3)
        assert not far(gentle, 1e-6)
        assert not far(wild, 0.01)

    @pytest.mark.parametrize(("steep", "explained"), [(1e4, True), (1.0, False)])
    def test_weights_that_move_say_what_inputs_do_not_where_the_first_layer_swallows_their_last_bit(
            self, steep: float, explained: bool, tmp_path: Path) -> None:
        op = builder()
        x = Value(Type(np.dtype(np.float32), ("n", 2)), "x")
        y = op.Sin(op.Mul(op.Add(x, np.float32([1000, 999.7])), np.float32(steep)))
        graph = Graph({"x": x}, {"y": y})
        feed = Feed("small", "normal", {"x": np.float32([[1e-6, 2e-6], [3e-6, 4e-6]])}, 2)
        runners = Runners(tmp_path, isolated=False)
        source = runners.hub(graph)

        def again(arrays: Any) -> Any:
            return source.run(arrays)

        def theirs(arrays: Any) -> Any:
            return {"y": again(arrays)["y"] + np.float32(0.3)}
        assert noise.too_far(graph, [(feed, "y")], again, theirs, runners) is not explained
        runners.close()

    def test_a_softmax_is_looked_at_by_its_logarithm_too(self, tmp_path: Path) -> None:
        """It says 0 and 1 until rounding puts another number on top: only what it was given says how near that is."""
        op = builder()
        x = Value(Type(np.dtype(np.float32), ("n", 2)), "x")
        graph = Graph({"x": x}, {"y": op.Softmax(op.Mul(x, np.float32(60)))})
        feed = Feed("ordinary", "ordinary", {"x": np.float32([[0.5, 1.5]])}, 1)
        runners = Runners(tmp_path, isolated=False)

        def softmax(given: Any) -> Any:
            power = np.exp(given - given.max(1, keepdims=True))
            return {"y": (power / power.sum(1, keepdims=True)).astype(np.float32)}

        def gentle(arrays: Any) -> Any:
            return softmax(arrays["x"].astype(np.float64) * 60)

        def wild(arrays: Any) -> Any:  # a last bit of the input becomes one, which the Softmax does not show
            a = arrays["x"].astype(np.float64)
            return softmax(a * 60 + 2 * np.sin(a * 1e7))

        def turned(arrays: Any) -> Any:
            return {"y": gentle(arrays)["y"][:, ::-1]}
        assert noise.too_far(graph, [(feed, "y")], gentle, turned, runners)
        assert not noise.too_far(graph, [(feed, "y")], wild, turned, runners)
        near = Feed("near", "ordinary", {"x": np.float32([[0.5, 0.8333]])}, 1)  # 20 apart
        for again, passes in ((gentle, False), (wild, True)):
            source = again(near.arrays)["y"]
            target = softmax(np.log(source.astype(np.float64)) + [[22, 0]])["y"]
            bar = BARS["float32"]
            d = compare(source, target, bar)
            assert not d.passed
            assert noise.Exact(graph, runners, again).excuse("y", near, source, target, bar, d).passed is passes
        runners.close()

    def test_float64_is_asked_last_of_large_networks_where_the_suite_is_thorough(
            self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        op = builder()
        x = Value(Type(np.dtype(np.float32), ("n", 2)), "x")
        graph = Graph({"x": x}, {"y": op.Sub(op.Add(x, np.float32(1000.1)), np.float32(1000.05))})
        feed = Feed("small", "normal", {"x": np.float32([[2e-5, 1e-5]])}, 1)
        runners = Runners(tmp_path, isolated=False)
        source = runners.hub(graph).run(feed.arrays)["y"]
        exact = np.float64(np.float32(1000.1)) - np.float64(np.float32(1000.05)) + feed.arrays["x"]
        beside, wrong = (exact + 2e-5).astype(np.float32), (exact * 1.02).astype(np.float32)

        def passes(target: Any, thorough: bool) -> bool:
            session = noise.Exact(graph, runners, lambda x: {"y": source}, thorough)
            bar = BARS["float32"]
            return session.excuse("y", feed, source, target, bar, compare(source, target, bar)).passed
        assert passes(beside, False)
        monkeypatch.setattr(noise, "BUDGET", 0)
        assert not passes(beside, False)
        assert passes(beside, True)
        assert not passes(wrong, True)
        runners.close()
