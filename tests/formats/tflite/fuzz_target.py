"""Random ONNX graphs, written as TensorFlow Lite and run by LiteRT beside ONNX Runtime.

``python tests/formats/tflite/fuzz_target.py [FIRST [COUNT]]`` tries the graphs of these seeds and prints each defect:
a difference, a crash, a file that LiteRT refuses, an exception that is no ModelportError."""
from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from random_graphs import F32, SIZES, Random, graph_of, model_of, sample, session, text

from modelport import api, registry
from modelport.errors import ModelportError, RuntimeFailed
from modelport.formats import onnx as format_onnx
from modelport.runtimes import isolated


def trial(model: bytes, g: Random, worker: isolated.Worker, folder: Path) -> str:
    """What is wrong with the translation of a model; empty if nothing, "refused: ..." for a typed refusal."""
    source, target = folder / "a.onnx", folder / "a.tflite"
    source.write_bytes(model)
    spec = registry.named("tflite")
    module = spec.load()
    oracle = session(model)
    try:
        hub = format_onnx.to_hub(format_onnx.read(source))
        module.write(module.from_hub(api.prepare(hub, spec)), target)
    except ModelportError as e:
        return f"refused: {type(e).__name__} {e.message}"
    except Exception as e:
        return f"exception: {type(e).__name__} {e} {traceback.extract_tb(e.__traceback__)[-1]}"
    quantized = b"QuantizeLinear" in model
    for turn in range(3):
        rng = np.random.default_rng(turn)
        feeds = {k: sample(rng, g.values[k].dtype, [SIZES[d][turn] if isinstance(d, str) else d for d in shape])
                 for k, shape in g.inputs.items()}
        try:
            want = oracle.run(None, feeds)
            near = oracle.run(None, {k: v * np.float32(1 + 3e-6) if v.dtype == F32 else v for k, v in feeds.items()})
        except Exception:
            continue  # sizes at which the graph means nothing
        for kernels in ("builtin", "plain"):
            try:
                run = worker.open("tflite", target, kernels=kernels, signature="serving_default")
                got = run.run({k: v for k, v in feeds.items() if k in run.inputs})
            except RuntimeFailed as e:
                if degenerate(model, g, feeds):
                    continue
                return f"{'crash' if 'crashed' in e.message else 'fails'} {kernels} {turn}: {e.message}"
            for out, w, other in zip(oracle.get_outputs(), want, near, strict=True):
                if (what := differs(got[out.name], w, other, quantized)) and not degenerate(model, g, feeds):
                    return f"wrong {kernels} {turn}: {out.name} {what}"
    return ""


def degenerate(model: bytes, g: Random, feeds: Mapping[str, np.ndarray]) -> bool:
    """Whether a value has no elements, or a window is larger than its image: runtimes differ in what that means."""
    m = onnx.load_from_string(model)
    names = [o for n in m.graph.node for o in n.output]
    made = dict(feeds) | dict(zip(names, session(model_of(g, names)).run(None, dict(feeds)), strict=True))
    for n in m.graph.node:
        if n.op_type in ("MaxPool", "AveragePool"):
            attrs = {a.name: helper.get_attribute_value(a) for a in n.attribute}
            kernel = attrs["kernel_shape"]
            pads = attrs.get("pads", [0] * 2 * len(kernel))
            room = [d + a + b for d, a, b in zip(made[n.input[0]].shape[2:], pads, pads[len(kernel):], strict=False)]
            if any(k > r for k, r in zip(kernel, room, strict=True)):
                return True
    return any(v.size == 0 for v in made.values())


def differs(got: np.ndarray, want: np.ndarray, near: np.ndarray, quantized: bool) -> str:
    """In what an output is not the wanted one, where a slightly different input makes no such difference either."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype}{list(got.shape)} for {want.dtype}{list(want.shape)}"
    if not want.size:
        return ""
    if want.dtype.kind != "f":
        off = np.abs(got.astype(np.int64) - want.astype(np.int64)).max()
        slack = np.abs(near.astype(np.int64) - want.astype(np.int64)).max() + (want.dtype.itemsize < 4)
        return f"off by {off}" if off > slack else ""
    both = np.isfinite(want) & np.isfinite(near)
    if not np.array_equal(np.isnan(got[both]), np.isnan(want[both])) or (~both).sum() < (~np.isfinite(got)).sum():
        return "other special values"
    if not both.any():
        return ""
    span = max(1.0, float(np.abs(want[both]).max()))  # small numbers are what is left of larger ones
    off = float(np.abs(got[both] - want[both]).max())
    slack = float(np.abs(near[both] - want[both]).max()) * 2
    if quantized and both.sum() > 30:  # LiteRT requantizes by 8 bits of the ratio: a step apart here and there
        apart = float(np.abs(got[both] - want[both]).mean() - np.abs(near[both] - want[both]).mean())
        if apart > 1e-2 * span:
            return f"off by {apart:.3g} of {span:.3g} on the average"
    return f"off by {off:.3g} of {span:.3g}" if off > (8e-2 if quantized else 1e-5) * span + slack else ""


def smaller(g: Random, ends: list[str], worker: isolated.Worker, folder: Path, what: str) -> tuple[bytes, str]:
    """The first value that alone shows the same kind of defect."""
    kind = what.split()[0]
    for k in g.values:
        if k in g.inputs:
            continue
        model = model_of(g, [k])
        try:
            found = trial(model, g, worker, folder)
        except Exception:
            continue
        if found.split()[:1] == [kind]:
            return model, found
    return model_of(g, ends), what


def seen(seed: int, worker: isolated.Worker, folder: Path) -> str:
    """What becomes of the graph of a seed, printed if it is a defect."""
    try:
        model, g, ends = graph_of(seed)
        session(model)
    except Exception as e:
        return f"no graph: {type(e).__name__} {e}"
    what = trial(model, g, worker, folder)
    if what and not what.startswith("refused"):
        model, found = smaller(g, ends, worker, folder, what)
        print(f"--- {seed}: {what}\n{found}\n{text(model)}", flush=True)
    return what or "pass"


def run(seeds: range, said: Path) -> None:
    """The verdicts of these seeds, one a line."""
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as worker, said.open("a") as file:
        for seed in seeds:
            what = seen(seed, worker, Path(folder))
            file.write(what[:300].replace("\n", " ") + "\n")
            file.flush()


def main() -> int:
    first, count = map(int, [*sys.argv[1:3], *["0", "200"][len(sys.argv) - 1:]])
    verdicts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said.txt")
        while len(verdicts) < count:
            said.write_text("")
            if (child := os.fork()) == 0:  # ONNX Runtime crashes on some graphs
                run(range(first + len(verdicts), first + count), said)
                os._exit(0)
            crashed = os.waitpid(child, 0)[1]
            verdicts += said.read_text().splitlines() + ["oracle crashed"] * bool(crashed)
    for what, n in Counter(v for v in verdicts if v.startswith(("refused", "no graph", "oracle"))).most_common():
        print(n, what)
    print(dict(Counter(v.split()[0] for v in verdicts)), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
