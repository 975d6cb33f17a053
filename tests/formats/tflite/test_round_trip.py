"""TensorFlow Lite -> ONNX -> TensorFlow Lite over the corpus: equal outputs, not more operators, not a larger file."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

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
MORE = {SSD: 85}  # its post-processing is one custom operator
OTHERWISE = {SSD: 2.0 ** -22}  # boxes, whose corners the custom operator computes in another order: two roundings


def models() -> list[Path]:
    return sorted(p for p in CORPUS.rglob("*.tflite") if p.stem not in NOT_READ | NOT_RUN) if CORPUS.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("path", models(), ids=lambda p: p.stem)
def test_there_and_back(path: Path, tmp_path: Path) -> None:
    t = roundtrip.trip(path, tmp_path)
    assert t.differ <= OTHERWISE.get(path.stem, 0.0)
    assert t.after.total() <= t.before.total() + MORE.get(path.stem, 0), (t.after - t.before, t.before - t.after)
    assert t.sizes[1] <= 1.02 * t.sizes[0]
    assert not [op for op in t.after if op.startswith(("custom.", "flex."))]
