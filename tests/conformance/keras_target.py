"""ONNX -> hub -> .keras -> Keras over the cases of the onnx package: what becomes of each.

pass          Keras computes from the file what the case expects
unsupported   a typed refusal, with its reason
error         conversion failed otherwise, or Keras does not load or run the file
wrong         Keras computes something else
crash         the process of Keras died

``python tests/conformance/keras_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
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
LACKING = re.compile(r"(?i)float8|float6|float4|int2|int4|e8m0|string|complex")
"""Element types that nets of Keras lack, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    source, target = folder / "source.onnx", folder / "target.keras"
    source.write_bytes(case.model)
    spec = registry.named("keras")
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
    try:
        session = worker.open("keras", target)
        ran = session.run(dict(zip(session.inputs, (np.asarray(case.inputs[k]) for k in hub.inputs), strict=True)))
        got = list(ran.values())
    except RuntimeFailed as e:
        return f"{'crash' if 'crashed' in e.message else 'error'}: {e.message.splitlines()[0]}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    return "pass" if same(got, case.expected, case) or near(got, case) or _halves(got, case.expected) else "wrong"


def _halves(got: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether numbers of 16 bits are the same within the roundings of a few operators, each of which rounds to 16 bits
    here, where the reference rounds once: four units in the last place of the largest."""
    for g, e in zip(got, expected, strict=True):
        a, b = np.asarray(g), np.asarray(e)
        if a.shape != b.shape or a.dtype != b.dtype or a.dtype.name not in ("float16", "bfloat16"):
            return False
        x, y = a.astype(np.float64), b.astype(np.float64)
        step = 2.0 ** (-10 if a.dtype == np.float16 else -7)
        if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.abs(x - y).max(initial=0) > 4 * step * np.abs(
                y).max(initial=0):
            return False
    return True


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
