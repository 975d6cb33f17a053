"""ONNX -> hub -> TensorFlow over the cases of the onnx package: what becomes of each.

pass          TensorFlow computes from the frozen graph what the case expects
unsupported   a typed refusal, with its reason
error         conversion failed otherwise, or TensorFlow does not run the graph
wrong         TensorFlow computes something else
crash         TensorFlow died

``python tests/conformance/tensorflow_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from onnx_cases import Case, near, node_cases, same, stored_cases

from modelport import api, registry
from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats.tensorflow.graphdef import legal
from modelport.runtimes import isolated

OUTSIDE = re.compile(r"sequence type|sequences|optional|training")
"""What is no tensor, or no inference."""
LACKING = re.compile(r"(?i)float8|float6|float4|uint2|uint4|int4|int2|e8m0")
"""Element types that TensorFlow has no arithmetic for, in the name of a case or in its verdict."""


def converted(case: Case, target: Path, name: str = "tensorflow") -> tuple[str, list[str]]:
    """What keeps a case from being written at ``target`` (empty if nothing does), and the names of its outputs."""
    source = target.with_name("source.onnx")
    source.write_bytes(case.model)
    spec = registry.named(name)
    module = spec.load()
    try:
        hub = format_onnx.to_hub(format_onnx.read(source))
        module.write(module.from_hub(api.prepare(hub, spec)), target)
    except UnsupportedModel as e:
        return "unsupported (" + "; ".join(sorted({f"{p.op}: {p.reason}" for p in e.problems})) + ")", []
    except ModelportError as e:
        return f"unsupported ({type(e).__name__}: {e.message.splitlines()[0]})", []
    except Exception as e:
        return f"error {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", []
    return "", list(hub.outputs)


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    target = folder / "target.pb"
    what, names = converted(case, target)
    if what:
        return what
    try:
        if not case.inputs:  # by names there have to be some
            return _saved(case, folder, worker)
        session = worker.open("tensorflow", target, inputs=[legal(k) for k in case.inputs],
                              outputs=[legal(k) for k in names])
        ran = session.run({legal(k): np.asarray(v) for k, v in case.inputs.items()})
    except RuntimeFailed as e:
        return f"{'crash' if 'crashed' in e.message else 'error'}: {e.message.splitlines()[0]}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    got = [ran[legal(name)] for name in names]
    return "pass" if same(got, case.expected, case) or near(got, case) else "wrong"


def _saved(case: Case, folder: Path, worker: isolated.Worker) -> str:
    """The case as a SavedModel."""
    target = folder / "saved"
    shutil.rmtree(target, ignore_errors=True)
    _, names = converted(case, target)
    ran = worker.open("tensorflow", target).run({k: np.asarray(v) for k, v in case.inputs.items()})
    return "pass" if same([ran[k] for k in names], case.expected, case) else "wrong"


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
