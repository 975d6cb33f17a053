"""What a conversion costs, as whole processes with verification off: CPU seconds with start-up, memory, wall time.

``python benchmarks/cost.py [--large]`` prints one line a figure, with the bound that the project sets itself.
``--large`` adds files of 0.5 and 1.5 GB (needs 5 GB of disk).  Linux only: memory is read from /proc.
Python keeps what it compiles, as it does for users: the figures are those of a second start."""
from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
MOBILENET = CORPUS / "tflite/google-coral__test_data/mobilenet_v2_1.0_224_quant.tflite"
COMMAND = [sys.executable, "-m", "modelport"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def run(*arguments: str) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and peak anonymous memory (bytes) of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while child.poll() is None:
            try:
                for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon"):
                        peak = max(peak, int(line.split()[1]) * 1024)
            except OSError:
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = child.wait()
    wall = time.perf_counter() - began
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(arguments)} failed with {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall, peak


def best(times: int, *arguments: str) -> float:
    """The least CPU time of several runs: the one with the least noise of the machine."""
    return min(run(*arguments)[0] for _ in range(times))


def line(what: str, figure: float, unit: str, bound: float) -> bool:
    ok = figure <= bound
    print(f"{what:<58} {figure:8.3f} {unit:<3} bound {bound:g} {'' if ok else '  OVER'}", flush=True)
    return ok


def chain(path: Path, nodes: int) -> None:
    """A model of ``nodes`` operators, half of them with a constant of their own."""
    import onnx
    from onnx import helper
    made, constants, last = [], [], "x"
    for k in range(nodes // 2):
        constants.append(onnx.numpy_helper.from_array(np.full(16, 1 + k / nodes, np.float32), f"c{k}"))
        made.append(helper.make_node("Mul", [last, f"c{k}"], [f"m{k}"], f"mul{k}"))
        made.append(helper.make_node("Tanh", [f"m{k}"], [f"t{k}"], f"tanh{k}"))
        last = f"t{k}"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(made, "chain", [value("x", 1, ["n", 16])], [value(last, 1, ["n", 16])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)


def mobilenet(path: Path) -> None:
    """MobileNetV2 as PyTorch exports it, with random weights."""
    from modelport.formats import onnx
    from modelport.hub.infer import op
    from modelport.ir import Graph, Type, Value
    rng = np.random.default_rng(0)

    def conv(x: Value, inner: int, outer: int, size: int = 1, stride: int = 1, group: int = 1,
             act: bool = True) -> Value:
        w = rng.normal(0, 1.5 / np.sqrt(inner // group * size * size), (outer, inner // group, size, size))
        y = op.Conv(x, w.astype(np.float32), rng.normal(size=outer).astype(np.float32), strides=[stride, stride],
                    pads=[size // 2] * 4, group=group)
        return op.Clip(y, np.float32(0), np.float32(6)) if act else y
    x = Value(Type(np.dtype(np.float32), ("batch", 3, 224, 224)), "image")
    y, width = conv(x, 3, 32, 3, 2), 32
    for wider, outer, times, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                        (6, 160, 3, 2), (6, 320, 1, 1)):
        for k in range(times):
            inner = width * wider
            z = y if wider == 1 else conv(y, width, inner)
            z = conv(conv(z, inner, inner, 3, stride if not k else 1, inner), inner, outer, act=False)
            y, width = op.Add(y, z) if k else z, outer
    pooled = op.Flatten(op.GlobalAveragePool(conv(y, 320, 1280)))
    logits = op.Gemm(pooled, rng.normal(0, 0.03, (1000, 1280)).astype(np.float32),
                     rng.normal(size=1000).astype(np.float32), transB=1)
    onnx.write(onnx.from_hub(Graph({"image": x}, {"logits": logits})), path)


def trees(path: Path, count: int, depth: int) -> None:
    """An .onnx of full trees over 20 features, whose leaves are averaged."""
    from modelport.formats import ensemble, onnx
    from modelport.hub.infer import op
    from modelport.ir import Graph, Type, Value
    rng, size = np.random.default_rng(0), 2 ** (depth + 1) - 1
    leaf = np.arange(size) >= size // 2
    start = np.arange(count)[:, None] * size
    left = np.where(leaf, -1, start + 2 * np.arange(size) + 1).ravel()
    grown = ensemble.Ensemble(
        roots=start.ravel(), left=left, right=np.where(left < 0, -1, left + 1), target=np.zeros(count, np.int64),
        feature=rng.integers(0, 20, count * size), threshold=rng.normal(size=count * size).astype(np.float32),
        missing_left=np.zeros(count * size, bool), value=rng.normal(size=(count * size, 1)) / count, outputs=1,
        features=20)
    x = Value(Type(np.dtype(np.float32), ("batch", 20)), "X")
    y = op.Squeeze(ensemble.scores(op, x, grown), np.array([1]))
    onnx.write(onnx.from_hub(Graph({"X": x}, {"prediction": y})), path)


def large(path: Path, megabytes: int) -> None:
    """A model with ``megabytes`` of weights, written without ever holding more than one of them."""
    from modelport.formats import onnx
    from modelport.hub.infer import op
    from modelport.ir import Graph, Tensor, Type, Value
    side = 4096
    count = megabytes * 1_000_000 // (side * side * 4)
    x = y = Value(Type(np.dtype(np.float32), ("batch", side)), "x")
    for k in range(count):
        def make(seed: int = k) -> np.ndarray:
            return np.random.default_rng(seed).standard_normal((side, side), np.float32)
        weight = Value(Type(np.dtype(np.float32), (side, side)), f"w{k}",
                       data=Tensor(make, Type(np.dtype(np.float32), (side, side))))
        y = op.Tanh(op.MatMul(y, weight))
    onnx.write(onnx.from_hub(Graph({"x": x}, {"y": y})), path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also files of 0.5 and 1.5 GB")
    parser.add_argument("--tflite", type=Path, default=MOBILENET, help="a .tflite of the size of MobileNet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as compiled:
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = compiled  # also where the package lies that nobody may write to
        return measured(options)


def measured(options: argparse.Namespace) -> int:
    """Prints the figures; the exit code."""
    ok = line("--help, CPU", best(5, *COMMAND, "--help"), "s", 0.15)
    ok &= line("import modelport, CPU", best(5, sys.executable, "-c", "import modelport")
               - best(5, sys.executable, "-c", "pass"), "s", 0.05)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        convert = [*COMMAND, "convert", "--no-verify", "--force"]
        if options.tflite.exists():
            ok &= line(f"{options.tflite.name} to .onnx, CPU", best(3, *convert, str(options.tflite),
                                                                     str(folder / "m.onnx")), "s", 0.9)
        else:
            print(f"skipped: {options.tflite} is not here")
        mobilenet(folder / "mobilenet.onnx")
        ok &= line("MobileNetV2 .onnx (3.5 M float32) to .tflite, CPU",
                   best(3, *convert, str(folder / "mobilenet.onnx"), str(folder / "m.tflite")), "s", 1.0)
        for name, more, bound in (("m.keras", (), 0.8), ("m.h5", (), 0.8), ("saved", ("--to", "tensorflow"), 1.0),
                                  ("m.pt2", (), 1.0)):
            run(*convert, str(folder / "mobilenet.onnx"), str(folder / name), *more)
            ok &= line(f"MobileNetV2 {name} to .onnx, CPU",
                       best(3, *convert, str(folder / name), str(folder / "m.onnx")), "s", bound)
        ok &= line("MobileNetV2 m.keras to .tflite, CPU",
                   best(3, *convert, str(folder / "m.keras"), str(folder / "m.tflite")), "s", 0.9)
        for kind, count, depth, suffix in (("forest", 100, 9, "pkl"), ("XGBoost", 200, 6, "json")):
            trees(folder / "trees.onnx", count, depth)
            source = folder / f"trees.{suffix}"
            run(*convert, str(folder / "trees.onnx"), str(source))
            ok &= line(f"{kind}, {count} trees of {2 ** depth} leaves, .{suffix} to .onnx, CPU",
                       best(3, *convert, str(source), str(folder / "m.onnx")), "s", 0.7)
        chain(folder / "chain.onnx", 10_000)
        ok &= line("10,000 nodes loaded, passed and saved, CPU",
                   best(2, *convert, str(folder / "chain.onnx"), str(folder / "chain2.onnx")), "s", 3)
        if options.large:
            source, target = folder / "large.onnx", folder / "large2.onnx"
            large(source, 1500)
            run(*convert, str(source), str(target))  # both files are in the page cache from here on
            copies, rewrites, peaks = [], [], []
            for _ in range(3):
                began = time.perf_counter()
                shutil.copyfile(source, folder / "copy")
                os.sync()
                copies.append(time.perf_counter() - began)
                (folder / "copy").unlink()
                target.unlink()
                began = time.perf_counter()
                _, _, peak = run(*convert, str(source), str(target))
                os.sync()
                rewrites.append(time.perf_counter() - began)
                peaks.append(peak)
            size = source.stat().st_size / 1e9
            large(folder / "half.onnx", 550)
            run(*convert, str(folder / "half.onnx"), str(folder / "frozen.pb"))
            _, _, peak = run(*convert, str(folder / "frozen.pb"), str(folder / "half2.onnx"))
            ok &= line(f"{(folder / 'frozen.pb').stat().st_size / 1e6:.0f} MB frozen graph to .onnx, anonymous memory",
                       peak / 1e6, "MB", 150)
            _, _, peak = run(*convert, str(source), str(folder / "large.tflite"))
            ok &= line(f"{size:.2f} GB .onnx to .tflite, anonymous memory", peak / 1e6, "MB", 2000 * size + 150)
            ok &= line(f"{size:.2f} GB .onnx rewritten, anonymous memory", max(peaks) / 1e6, "MB", 150)
            ok &= line(f"{size:.2f} GB .onnx rewritten, times a copy ({min(copies):.2f} s)",
                       min(rewrites) / min(copies), "x", 3)
    return 0 if ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
