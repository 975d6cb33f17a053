"""What reading and writing may cost; the full-size figures are printed by benchmarks/."""
from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from onnx_models import X, load, model

from modelport.formats import onnx as format_onnx
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Value, constant
from modelport.ir.types import Type

WEIGHTS = 96 << 20
CHILD = """
import sys
from pathlib import Path
from modelport.formats import onnx as f
def anonymous():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")) * 1024
f.to_hub(f.read(Path(sys.argv[1])))  # what the libraries need on first use is not the weights'
before = anonymous()
f.write(f.from_hub(f.to_hub(f.read(Path(sys.argv[2])))), Path(sys.argv[3]), external_data=sys.argv[4] == "True")
print(anonymous() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is read from /proc")
@pytest.mark.parametrize("external", [False, True])
def test_memory_does_not_grow_with_the_weights(tmp_path: Path, external: bool) -> None:
    x = Value(Type(np.dtype(np.float32), ("n", 1024)), "x")
    y = x
    for k in range(WEIGHTS // (1024 * 1024 * 4)):
        y = op.MatMul(y, constant(np.full((1024, 1024), k, np.float32)))
    format_onnx.write(format_onnx.from_hub(Graph({"x": x}, {"y": y})), tmp_path / "big.onnx")
    small = Graph({"x": x}, {"y": op.MatMul(x, constant(np.ones((1024, 2), np.float32)))})
    format_onnx.write(format_onnx.from_hub(small), tmp_path / "small.onnx")
    out = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "small.onnx"), str(tmp_path / "big.onnx"),
                          str(tmp_path / "out.onnx"), str(external)], capture_output=True, text=True, check=True)
    # one float32 matrix has 4 MiB: less than four of the twenty-four may ever be in anonymous memory
    assert int(out.stdout) < 16 << 20
    written = sum(p.stat().st_size for p in tmp_path.glob("out.onnx*"))
    assert WEIGHTS < written < WEIGHTS + (1 << 16)


def test_time_grows_with_the_number_of_nodes_only_linearly(tmp_path: Path) -> None:
    """Ten times the nodes in at most twenty times the time: a quadratic step would take a hundred.

    The collector is off meanwhile: what it takes depends on all that the test session holds."""
    taken = []
    for n in (1000, 10_000):
        nodes = [helper.make_node("Neg", [f"v{k}" if k else "x"], [f"v{k + 1}"], name=f"n{k}") for k in range(n)]
        m = model(nodes, {"x": X}, [f"v{n}"], 17)
        best = 1e9
        for _ in range(3):
            gc.collect()
            gc.disable()
            try:
                start = time.process_time()
                format_onnx.write(format_onnx.from_hub(format_onnx.to_hub(load(tmp_path, m))), tmp_path / "out.onnx")
                best = min(best, time.process_time() - start)
            finally:
                gc.enable()
        taken.append(best)
    assert taken[1] < 20 * taken[0]
