"""TensorFlow Lite -> ONNX -> TensorFlow Lite over a folder: ``python tools/roundtrip.py FOLDER [--latency] [PATTERN]``.

Prints a line a file: the largest difference of the outputs (steps where they are integers) between the original and
the file that came back, both in LiteRT on the same random inputs; operators, bytes and, with ``--latency``, the
median of paired runs, one process after the other, as ratios of the original's."""
from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelport import api
from modelport.errors import ModelportError
from modelport.formats import tflite
from modelport.ir.graph import Graph
from modelport.ir.types import Type
from modelport.runtimes.isolated import Worker


def feed(rng: np.random.Generator, t: Type) -> Any:
    shape = [d if isinstance(d, int) else 1 for d in t.shape or ()]
    if t.dtype.kind == "f":
        return rng.normal(size=shape).astype(t.dtype)
    if t.dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    info = np.iinfo(t.dtype)
    wide = t.dtype.itemsize > 2
    return rng.integers(0 if wide else info.min, 3 if wide else int(info.max) + 1, shape).astype(t.dtype)


def operators(graph: Graph) -> Counter[str]:
    return Counter(n.op for n in graph.walk())


PAIRS = 7
TIMER = """
import sys, time, statistics
import numpy as np
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(model_path=sys.argv[1], num_threads=1)
model.allocate_tensors()
rng = np.random.default_rng(0)
for d in model.get_input_details():
    x = rng.uniform(0, 2, d["shape"])
    model.set_tensor(d["index"], x.astype(d["dtype"]))
times, end = [], time.perf_counter() + 0.4
while len(times) < 20 or time.perf_counter() < end:
    begin = time.perf_counter()
    model.invoke()
    times.append(time.perf_counter() - begin)
print(statistics.median(times[5:]))
"""


def median(path: Path) -> float:
    """Seconds of a run in a process of its own, all tensors at the sizes that the file states."""
    done = subprocess.run([sys.executable, "-c", TIMER, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


@dataclass(frozen=True)
class Trip:
    """What a file that came back shows: the largest difference, operators and bytes before and after, CPU seconds."""

    differ: float
    before: Counter[str]
    after: Counter[str]
    sizes: tuple[int, int]
    seconds: float


def trip(path: Path, folder: Path, kernels: str = "builtin") -> Trip:
    """There and back; the file that came back is ``folder / "back.tflite"``."""
    middle, back = folder / "middle.onnx", folder / "back.tflite"
    api.convert(path, middle, verify=None, force=True)
    started = time.process_time()
    api.convert(middle, back, verify=None, force=True)
    seconds = time.process_time() - started
    rng = np.random.default_rng(0)
    worst = 0.0
    with Worker() as a, Worker() as b:
        raw = api.load(path)
        like = [*raw.inputs, *raw.outputs]
        first, second = (w.open("tflite", p, kernels=kernels, like=like) for w, p in ((a, path), (b, back)))
        for _ in range(3):
            feeds = {k: feed(rng, t) for k, t in raw.inputs.items()}
            x, y = (s.run(dict(zip(s.inputs, feeds.values(), strict=True))) for s in (first, second))
            for p, q in zip(x.values(), y.values(), strict=True):
                same = (p == q) | (np.isnan(p) & np.isnan(q)) if p.dtype.kind == "f" else p == q
                scale = max(1e-9, float(np.abs(p[np.isfinite(p)]).max(initial=0))) if p.dtype.kind == "f" else 1
                worst = max(worst, float(np.where(same, 0, np.abs(p.astype(float) - q)).max(initial=0)) / scale)
    return Trip(worst, operators(tflite.read(path)), operators(tflite.read(back)),
                (path.stat().st_size, back.stat().st_size), seconds)


def line(path: Path, folder: Path, latency: bool, kernels: str) -> str:
    t = trip(path, folder, kernels)
    pairs = [(median(path), median(folder / "back.tflite")) for _ in range(PAIRS)] if latency else []
    middle = statistics.median(q / p for p, q in pairs) if pairs else 0
    ratio = f" latency x{middle:.2f} ({1e3 * pairs[0][0]:.3g} ms)" if pairs else ""
    more, less = t.after - t.before, t.before - t.after
    return (f"differ {t.differ:<8.2g} operators {t.before.total()} -> {t.after.total()} size "
            f"x{t.sizes[1] / t.sizes[0]:.3f}{ratio} cpu {t.seconds:.2f} s"
            + (f"  +{dict(more)} -{dict(less)}" if more or less else ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--kernels", default="builtin")
    options = parser.parse_args()
    for path in sorted(options.folder.rglob("*.tflite")):
        if not re.search(options.pattern, str(path)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                what = line(path, Path(folder), options.latency, options.kernels)
            except ModelportError as e:
                what = f"{type(e).__name__}: " + " | ".join(e.message.splitlines()[:4])
            except Exception as e:
                what = f"{type(e).__name__}: {e}"
        print(f"{str(path.relative_to(options.folder))[-60:]:<60} {what[:400]}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
