"""Every real model of the corpus: converted, or refused with a reason; and it computes what LiteRT computes.

Two comparisons.  *Whole*: the same inputs through the file in LiteRT's reference kernels and through the translation
in ONNX Runtime.  *Node by node*: every node of the translation fed with what LiteRT computed in front of it; this
shows that no kernel differs by more than the rounding of one step, where a deep network lets such steps add up."""
from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")

from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tflite
from modelport.hub.layout import channels_first
from modelport.ir import Graph, Type, Value
from modelport.runtimes import isolated

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
FILES = {p.relative_to(CORPUS).as_posix(): p for p in sorted(CORPUS.rglob("*.tflite"))}

UNSUPPORTED = {  # operators of one vendor's runtime that ONNX has no words for
    "audio_preprocessor_float.tflite": "custom.Signal", "audio_preprocessor_int8.tflite": "custom.Signal",
    "person_detect_vela.tflite": "custom.ethos-u"}
CRASHES = {"keyword_scrambled_8bit.tflite"}  # LiteRT overruns memory: its SVDF has no 8-bit state, TFLite Micro's has
SPREAD = {  # LiteRT's own two sets of kernels are further apart than one step on these
    # Requantization in fixed point rounds differently from that in floating point (XNNPACK's, and ONNX's): by one step
    # in about 1 % of the elements of a layer (see the comparison node by node), and through the layers steps add up.
    "mobilenet_v1_0.25_128_quant.tflite", "mobilenet_v2_1.0_224_quant.tflite", "soundstream_encoder.tflite",
    "yamnet_audio_classifier_with_metadata.tflite",
    # the same, and then an arg max or a sorting that takes another element where two tie within a step
    "movenet_single_pose_lightning_ptq.tflite", "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29_no_metadata.tflite",
    "kws_ref_model_float32.tflite",  # integer weights: LiteRT rounds the activations to 8 bits as it goes
}
MAGNIFIES = {"nmp.tflite": 32}  # 32 convolutions, then the logarithm of magnitudes near 0; each rounds as inputs do
STEPS = {"dtln_noise_suppression.tflite": 4}  # gates from 16-bit tables: some of 128 units move a step, and are summed
NODES = {  # the nodes that differ by more than 1 step or 1e-5 when fed with LiteRT's own inputs
    "kws_ref_model_float32.tflite": "CONV_2D",  # as above
    "dtln_noise_suppression.tflite": "UNIDIRECTIONAL_SEQUENCE_LSTM",  # sigmoid and tanh from 16-bit tables, 128 units
}


def test_the_corpus_converts() -> None:
    if not FILES:
        pytest.skip("no corpus beside the checkout")
    converted = 0
    for path in FILES.values():
        raw = tflite.read(path)
        if path.name in UNSUPPORTED:
            with pytest.raises(UnsupportedModel, match=UNSUPPORTED[path.name]) as e:
                tflite.to_hub(raw)
            assert all(p.where for p in e.value.problems)
        else:
            tflite.to_hub(raw)
            converted += 1
    assert converted == len(FILES) - len(UNSUPPORTED)


@cache
def worker(kind: str) -> isolated.Worker:
    return isolated.Worker()


def inputs(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Inputs that use the range of their type: normal numbers, every integer of 8 and 16 bits, small indices."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, v in graph.inputs.items():
        shape = [d if isinstance(d, int) else 1 for d in v.shape or ()]
        if v.dtype.kind == "f":
            out[name] = np.asarray(rng.normal(size=shape), v.dtype)
        else:
            info = np.iinfo(v.dtype)
            low, high = (info.min, info.max + 1) if v.dtype.itemsize < 4 else (0, 16)
            out[name] = np.asarray(rng.integers(low, high, shape), v.dtype)
    return out


def onnx_of(graph: Graph, path: Path) -> Path:
    format_onnx.write(format_onnx.from_hub(channels_first(tflite.to_hub(graph))), path)
    return path


def apart(want: np.ndarray, got: np.ndarray) -> float:
    """Steps between integers; between real numbers the difference in parts of the largest."""
    assert (want.shape, want.dtype) == (got.shape, got.dtype)
    if want.size == 0:
        return 0
    if want.dtype.kind == "f":
        return float(np.abs(want - got).max() / max(1e-6, float(np.abs(want).max())))
    return float(np.abs(want.astype(np.int64) - got.astype(np.int64)).max())


def bar(a: np.ndarray) -> float:
    return 1e-5 if a.dtype.kind == "f" else 1


def by_litert(path: Path, feeds: dict[str, np.ndarray], kernels: str) -> list[np.ndarray]:
    oracle = worker("tflite").open("tflite", path, kernels=kernels)
    return list(oracle.run(dict(zip(oracle.inputs, feeds.values(), strict=True))).values())


def moved(feeds: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The inputs, each number moved up or down by one unit in the last place."""
    rng = np.random.default_rng(seed)
    return {k: np.nextafter(v, np.where(rng.integers(0, 2, v.shape), np.inf, -np.inf).astype(v.dtype))
            for k, v in feeds.items()}


def total(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return sum(float(np.abs(x.astype(np.float64) - y).mean()) for x, y in zip(a, b, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_the_whole_model_agrees(name: str, tmp_path: Path) -> None:
    """With LiteRT's reference kernels or with those that applications get, to a step or to 1e-5 of the range."""
    path = FILES[name]
    if path.name in UNSUPPORTED or path.name in CRASHES:
        pytest.skip("refused, or LiteRT crashes")
    raw = tflite.read(path)
    source = as_read(raw, path, tmp_path / "source.tflite")
    translated = worker("onnxruntime").open("onnxruntime", onnx_of(raw, tmp_path / "made.onnx"))
    ours_apart = theirs_apart = 0.0
    for seed in range(3):
        feeds = inputs(raw, seed)
        want, fast = by_litert(source, feeds, "reference"), by_litert(source, feeds, "builtin")
        got = list(translated.run(dict(zip(translated.inputs, feeds.values(), strict=True))).values())
        ours_apart, theirs_apart = ours_apart + total(want, got), theirs_apart + total(want, fast)
        for k, (a, b, c) in enumerate(zip(want, got, fast, strict=True)):
            limit = bar(a)
            if path.name in MAGNIFIES:
                noise = [apart(a, by_litert(source, moved(feeds, n), "reference")[k]) for n in range(5)]
                limit = MAGNIFIES[path.name] * max(noise)
            limit = max(limit, STEPS.get(path.name, 0))
            assert path.name in SPREAD or min(apart(a, b), apart(c, b)) <= limit
    if path.name in SPREAD:  # on average we are no further from the reference than XNNPACK is, give or take
        assert 0 < ours_apart <= 2 * theirs_apart


def as_read(raw: Graph, path: Path, to: Path) -> Path:
    """The model as our own bytes, where all of it can be written: LiteRT refuses what old converters wrote."""
    if any(n.op.endswith(("LSTM", "SVDF")) for n in raw.nodes) or any("variables" in n.message for n in raw.notes):
        return path
    tflite.write(raw.with_(inputs={v.name: v for v in raw.inputs.values()},
                           outputs={v.name: v for v in raw.outputs.values()}), to)
    return to


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_node_agrees(name: str, tmp_path: Path) -> None:
    path = FILES[name]
    if path.name in UNSUPPORTED or path.name in CRASHES:
        pytest.skip("refused, or LiteRT crashes")
    raw = tflite.read(path)
    values = [o for n in raw.nodes for o in n.outputs if not o.name.endswith(":next") and o.dtype.kind != "c"]
    names = [v.name for v in values]
    if len({*names, *(v.name for v in raw.inputs.values())}) != len(names) + len(raw.inputs) or "" in names:
        pytest.skip("the names of its tensors do not say which is which")
    source = as_read(raw, path, tmp_path / "source.tflite")
    oracle = worker("tflite").open("tflite", source, kernels="reference", tensors=names)
    feeds = inputs(raw, 7)
    known = oracle.run(dict(zip(oracle.inputs, feeds.values(), strict=True)))
    known.update({v.name: feeds[k] for k, v in raw.inputs.items()})
    for node in raw.nodes:
        if any(v is not None and v.dtype.kind == "c" for v in (*node.inputs, *node.outputs)):
            continue  # complex values have no name in the translation
        fed: dict[str, Value] = {}
        for v in node.inputs:
            if v is not None and v.data is None and v.name not in fed:
                fed[v.name] = Value(Type(v.dtype, known[v.name].shape, v.type.quant), v.name)
        alone = node.with_(inputs=[v if v is None or v.data is not None else fed[v.name] for v in node.inputs])
        outs = {o.name: o for o in alone.outputs if o.name in known}
        made = worker("onnxruntime").open("onnxruntime", onnx_of(Graph(fed, outs), tmp_path / "node.onnx"))
        got = made.run(dict(zip(made.inputs, (known[k] for k in fed), strict=True)))
        for (key, _), b in zip(outs.items(), got.values(), strict=True):
            if apart(known[key], b) > bar(b):
                assert node.op == NODES.get(path.name), f"{node.op} '{key}' differs by {apart(known[key], b)}"


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_dynamic_batch_stays_dynamic(name: str, tmp_path: Path) -> None:
    """Three samples at once give what each gives alone."""
    raw = tflite.read(FILES[name])
    if not raw.inputs or any((v.shape or ("",))[0] != "batch" for v in raw.inputs.values()):
        pytest.skip("no dynamic batch")
    hub = tflite.to_hub(raw)
    assert all(v.shape is not None and v.shape[0] == "batch" for v in hub.outputs.values())
    made = worker("onnxruntime").open("onnxruntime", onnx_of(raw, tmp_path / "made.onnx"))
    alone = [inputs(raw, seed) for seed in range(3)]
    together = made.run({k: np.concatenate([f[n] for f in alone])
                         for k, n in zip(made.inputs, raw.inputs, strict=True)})
    for seed, feeds in enumerate(alone):
        one = made.run(dict(zip(made.inputs, feeds.values(), strict=True)))
        for key, a in one.items():
            assert apart(a, together[key][seed:seed + 1]) <= bar(a)
