"""ONNX -> hub -> TensorFlow Lite -> LiteRT over the cases of the onnx package: what becomes of each.

pass          LiteRT computes from the file what the case expects
unsupported   a typed refusal, with its reason
error         conversion failed otherwise, or LiteRT does not run the file
wrong         LiteRT computes something else
crash         LiteRT died

``python tests/conformance/tflite_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx_cases import Case, near, node_cases, same, stored_cases

from modelport import api, registry
from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.runtimes import isolated

OUTSIDE = re.compile(r"sequence type|sequences|optional|training")
"""What is no tensor, or no inference."""
LACKING = re.compile(r"(?i)float8|float6|float4|uint2|uint4|e8m0|string|complex")
"""Element types that LiteRT's files lack, or have no kernels for at all, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    source, target = folder / "source.onnx", folder / "target.tflite"
    source.write_bytes(case.model)
    spec = registry.named("tflite")
    module = spec.load()
    try:
        hub = format_onnx.to_hub(format_onnx.read(source))
        module.write(module.from_hub(api.prepare(hub, spec)), target)
    except UnsupportedModel as e:
        return "unsupported (" + "; ".join(sorted({f"{p.op}: {p.reason}" for p in e.problems})) + ")"
    except ModelportError as e:
        return f"unsupported ({type(e).__name__}: {e.message.splitlines()[0]})"
    except Exception as e:
        return f"error {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"
    for kernels in ("builtin", "plain"):  # with XNNPACK, which applications get, and without, which others do
        if (what := _run(case, target, worker, kernels, list(hub.outputs))) != "pass":
            return what
    return "pass"


def _run(case: Case, target: Path, worker: isolated.Worker, kernels: str, names: list[str]) -> str:
    try:
        session = worker.open("tflite", target, kernels=kernels, signature="serving_default")
        feeds = {k: np.asarray(v) for k, v in case.inputs.items() if k in session.inputs}
        ran = session.run(feeds)
        got = [ran[name] for name in names]  # a signature has them in alphabetical order
    except RuntimeFailed as e:
        return f"{'crash' if 'crashed' in e.message else 'error'} {kernels}: {e.message.splitlines()[0]}"
    except ModelportError as e:
        return f"error {kernels}: {e.message.splitlines()[0]}"
    if kernels == "plain":
        got = [_infinite(g, e) for g, e in zip(got, case.expected, strict=False)]
    return "pass" if same(got, case.expected, case) or near(got, case) else f"wrong {kernels}"


def _infinite(got: Any, expected: Any) -> Any:
    """The largest finite number as infinity where infinity is expected: without XNNPACK the kernels of ADD, SUB, MUL
    and DIV clip to the finite numbers, whatever a file says
    (kernels/internal/common.h, CalculateActivationRange of NONE)."""
    g, e = np.asarray(got), np.asarray(expected)
    if g.dtype != np.float32 or g.shape != e.shape or e.dtype != np.float32:
        return got
    return np.where(np.isinf(e) & (np.abs(g) == np.finfo(np.float32).max), np.copysign(np.float32(np.inf), g), g)


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as worker:
        for case in cases:
            yield case.name, verdict(case, Path(folder), worker)


def cases() -> tuple[Case, ...]:
    return tuple(sorted(node_cases() + stored_cases(), key=lambda c: c.name))


def main() -> int:
    pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
    counts: Counter[str] = Counter()
    for name, what in verdicts([c for c in cases() if pattern.search(c.name)]):
        counts[what.split()[0].rstrip(":")] += 1
        print(f"{name} {what}", flush=True)
    print(dict(counts), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
