"""TensorFlow Lite -> ONNX -> TensorFlow Lite over the corpus: equal outputs, not more operators, not a larger file."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from modelport.formats import tflite

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT.parent / "shared" / "corpus" / "tflite"
spec = importlib.util.spec_from_file_location("roundtrip", ROOT / "tools" / "roundtrip.py")
assert spec is not None
assert spec.loader is not None
roundtrip = importlib.util.module_from_spec(spec)
sys.modules["roundtrip"] = roundtrip
spec.loader.exec_module(roundtrip)

SSD = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29_no_metadata"
NOT_READ = {"audio_preprocessor_float", "audio_preprocessor_int8", "person_detect_vela"}
"""TensorFlow Lite Micro's own signal operators, a compiled command stream: see docs/formats/tflite.md."""
NOT_RUN = {"person_detect", "keyword_scrambled_8bit"}
"""LiteRT refuses the original's quantization, or its memory is corrupted by it."""
MORE = {"movenet_single_pose_lightning_ptq": 3,  # indices that ONNX lets be negative, joining and parting
        "movie_review": 1,  # likewise
        "kws_ref_model_float32": 4,  # integer weights with real activations: dequantized, not rounded to 8 bits
        "keyword_scrambled": 16,  # a Softmax from 8 to 16 bits with a zero point, an output quantized to 32 bits
        "yamnet_audio_classifier_with_metadata": 8,  # a Fourier transform as two products
        SSD: 96}  # its post-processing is one custom operator
LARGER = {"keyword_scrambled": 1.1}
OTHERWISE = {"kws_ref_model_float32": 0.02,  # see above
             SSD: 1.0}  # scores a step apart choose other boxes; test_before_the_boxes_are_chosen holds the network


def models() -> list[Path]:
    return sorted(p for p in CORPUS.rglob("*.tflite") if p.stem not in NOT_READ | NOT_RUN) if CORPUS.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("path", models(), ids=lambda p: p.stem)
def test_there_and_back(path: Path, tmp_path: Path) -> None:
    t = roundtrip.trip(path, tmp_path)
    assert t.differ <= OTHERWISE.get(path.stem, 0.0)
    assert t.after.total() <= t.before.total() + MORE.get(path.stem, 0), (t.after - t.before, t.before - t.after)
    assert t.sizes[1] <= LARGER.get(path.stem, 1.02) * t.sizes[0]
    assert not [op for op in t.after if op.startswith(("custom.", "flex."))]


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_before_the_boxes_are_chosen(tmp_path: Path) -> None:
    """The uint8 kernel of CONCATENATION brings its inputs to one scale and rounds; ours come from QUANTIZE, which
    rounds otherwise: by one step."""
    raw = tflite.read(next(CORPUS.rglob(f"{SSD}.tflite")))
    chosen = next(n for n in raw.nodes if n.op == "custom.TFLite_Detection_PostProcess")
    boxes, scores = chosen.inputs[0], chosen.inputs[1]
    assert boxes is not None
    assert scores is not None
    assert scores.node is not None
    assert scores.node.op == "LOGISTIC"
    outputs = {"boxes": boxes, "scores": scores.node.inputs[0]}
    tflite.write(raw.with_(outputs=outputs), tmp_path / "cut.tflite")
    assert roundtrip.trip(tmp_path / "cut.tflite", tmp_path).differ <= 1
