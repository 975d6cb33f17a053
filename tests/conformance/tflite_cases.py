"""What becomes of each TensorFlow Lite case on the way to ONNX.

pass          ONNX Runtime computes from the translation what LiteRT's reference kernels compute from the file
unsupported   a typed refusal, with its reason
refused       LiteRT itself does not run the case
error         the translation failed otherwise, or does not run
wrong         the translation computes something else
crash         a runtime died
"""
from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tflite
from modelport.hub.layout import channels_first
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parents[1]))
from cases.tflite import CASES, Case


def run() -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as source, isolated.Worker() as target:
        for case in CASES.values():
            yield case.name, verdict(case, Path(folder), source, target)


def verdict(case: Case, folder: Path, source: isolated.Worker, target: isolated.Worker) -> str:
    file, made = folder / "case.tflite", folder / "case.onnx"
    tflite.write(case.graph, file, versions=case.versions)
    try:
        raw = tflite.read(file)
        format_onnx.write(format_onnx.from_hub(channels_first(tflite.to_hub(raw))), made)
    except UnsupportedModel as e:
        return f"unsupported: {e.problems[0].reason}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    try:
        kernels = "plain" if case.name.split("/")[0] in NOT_BY_REFERENCE else "reference"
        want = oracle(source, file, kernels).run(case.feeds)
    except RuntimeFailed as e:
        return "crash: LiteRT" if "crashed" in e.message else f"refused: {e.message.splitlines()[0]}"
    try:
        got = target.open("onnxruntime", made, optimize=False).run(case.feeds)
    except RuntimeFailed as e:
        return "crash: ONNX Runtime" if "crashed" in e.message else f"error: {e.message.splitlines()[0]}"
    for name in case.graph.outputs:
        if difference := compare(want[name], got[name], case.graph.outputs[name].type.quant is not None):
            return f"wrong: {difference}"
    return "pass"


NOT_BY_REFERENCE = {"CEIL", "ROUND", "ELU", "SEGMENT_SUM", "STABLEHLO_AND",
                    "STABLEHLO_SHIFT_LEFT",  # the set of reference kernels lacks them
                    "LOCAL_RESPONSE_NORMALIZATION",  # the reference kernel leaves the last channel of each window out
                    "SUM"}  # of int8 the reference kernel returns numbers far from the sum, the other does not


def oracle(worker: isolated.Worker, file: Path, kernels: str) -> isolated.IsolatedSession:
    """LiteRT with the model open, inputs and outputs named by the signature: the names of the case's values."""
    return worker.open("tflite", file, kernels=kernels, signature="serving_default")


def compare(want: np.ndarray, got: np.ndarray, quantized: bool) -> str:
    """What is different; empty if nothing is.

    Real numbers may differ by the rounding of a different order of summation: 1e-5 of the largest, some 80 units in
    the last place of float32.  A quantized number may differ by 1: kernels round halves away from zero and multiply
    in fixed point, QuantizeLinear rounds the real number half to even."""
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    if want.size == 0:
        return ""
    if want.dtype.kind == "f":
        same = (want == got) | (np.isnan(want) & np.isnan(got))
        finite = np.isfinite(want)
        limit = 1e-5 * max(1e-3, float(np.abs(want[finite]).max(initial=0)))
        with np.errstate(invalid="ignore"):
            error = np.where(same, 0, np.abs(want - got))
        return "" if (error <= limit).all() else f"by {np.nanmax(error):.3g}, limit {limit:.3g}"
    if quantized:
        error = np.abs(want.astype(np.int64) - got.astype(np.int64))
        return "" if error.max() <= 1 else f"by {error.max()} steps"
    return "" if (want == got).all() else f"{np.count_nonzero(want != got)} of {want.size} elements"


def table() -> str:
    """Every verdict, one a line."""
    return "".join(f"{name:<64} {what}\n" for name, what in sorted(run()))


if __name__ == "__main__":
    (Path(__file__).parent / "expected" / "tflite.txt").write_text(table())
