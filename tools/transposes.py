"""How many Transposes are left of a network: ``python tools/transposes.py MODEL...``.

Each model is taken to ONNX, whose images are channels first, and from there to the formats that are channels last.  A
network needs one for each image that comes in, and one for each that goes out; those of an axis that is one long move
nothing and are not counted."""
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import modelport
from modelport import api, registry
from modelport.ir.graph import Graph, Node

TARGETS = {"tflite": "TRANSPOSE", "tensorflow": "Transpose", "tfjs": "Transpose"}


def moves(node: Node) -> bool:
    """Whether a transpose changes the order of elements: more than one axis that is not one long is moved."""
    shape, x = node.outputs[0].shape, node.inputs[0]
    if shape is None or x is None or x.data is not None:
        return False
    return len(shape) > 2 and sum(d != 1 for d in shape[1:]) > 1


def count(graph: Graph, op: str) -> int:
    return sum(n.op == op and moves(n) for n in graph.nodes)


def counts(path: Path) -> dict[str, int]:
    """Transposes by format."""
    with tempfile.TemporaryDirectory() as folder:
        between = Path(folder) / "a.onnx"
        modelport.convert(path, between, verify=None)
        hub = modelport.load(between).graph
    out = {"onnx": count(hub, "Transpose")}
    for name, op in TARGETS.items():
        spec = registry.named(name)
        out[name] = count(spec.load().from_hub(api.prepare(hub, spec)), op)
    return out


def main() -> int:
    for name in sys.argv[1:]:
        print(name, counts(Path(name)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
