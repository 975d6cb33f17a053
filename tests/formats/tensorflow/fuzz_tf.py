"""Random ONNX graphs, written as TensorFlow or TensorFlow.js and run beside ONNX Runtime.

``python tests/formats/tensorflow/fuzz_tf.py tensorflow|tfjs [FIRST [COUNT]]`` tries the graphs of these seeds and
prints each defect: a difference, a crash, a graph that the runtime refuses, an exception that is no ModelportError."""
from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tflite"))
from fuzz_target import degenerate, differs
from random_graphs import F32, SIZES, Random, graph_of, model_of, sample, session, text
from written_tf import Runner

from modelport.errors import ModelportError, RuntimeFailed


def trial(model: bytes, g: Random, runner: Runner, folder: Path) -> str:
    """What is wrong with the translation of a model; empty if nothing, "refused: ..." for a typed refusal."""
    oracle = session(model)
    try:
        raw = runner.lowered(model, folder)
    except ModelportError as e:
        return f"refused: {type(e).__name__} {e.message}"
    except Exception as e:
        return f"exception: {type(e).__name__} {e} {traceback.extract_tb(e.__traceback__)[-1]}"
    try:
        run = runner.open(raw, folder)
    except RuntimeFailed as e:
        return f"fails: {e.message}"
    for turn in range(3):
        rng = np.random.default_rng(turn)
        feeds = {k: sample(rng, g.values[k].dtype, [SIZES[d][turn] if isinstance(d, str) else d for d in shape])
                 for k, shape in g.inputs.items()}
        try:
            want = oracle.run(None, feeds)
            near = oracle.run(None, {k: v * np.float32(1 + 3e-6) if v.dtype == F32 else v for k, v in feeds.items()})
        except Exception:
            continue  # sizes at which the graph means nothing
        try:
            got = run(feeds)
        except RuntimeFailed as e:
            if degenerate(model, g, feeds):
                continue
            return f"{'crash' if 'crashed' in e.message or 'ended' in e.message else 'fails'} {turn}: {e.message}"
        for out, w, other in zip(oracle.get_outputs(), want, near, strict=True):
            made = got[out.name]
            if runner.target == "tfjs" and {made.dtype.kind, w.dtype.kind} in ({"f"}, {"i"}, {"i", "u"}):
                made = made.astype(w.dtype)
            if (what := differs(made, w, other, b"QuantizeLinear" in model)) and not degenerate(model, g, feeds):
                return f"wrong {turn}: {out.name} {what}"
    return ""


def smaller(g: Random, ends: list[str], runner: Runner, folder: Path, what: str) -> tuple[bytes, str]:
    """The first value that alone shows the same kind of defect."""
    for k in g.values:
        if k in g.inputs:
            continue
        model = model_of(g, [k])
        try:
            found = trial(model, g, runner, folder)
        except Exception:
            continue
        if found.split()[:1] == what.split()[:1]:
            return model, found
    return model_of(g, ends), what


def seen(seed: int, runner: Runner, folder: Path) -> str:
    """What becomes of the graph of a seed, printed if it is a defect."""
    try:
        model, g, ends = graph_of(seed)
        session(model)
    except Exception as e:
        return f"no graph: {type(e).__name__} {e}"
    what = trial(model, g, runner, folder)
    if what and not what.startswith("refused"):
        model, found = smaller(g, ends, runner, folder, what)
        print(f"--- {seed}: {what}\n{found}\n{text(model)}", flush=True)
    return what or "pass"


def run(target: str, seeds: range, said: Path) -> None:
    """The verdicts of these seeds, one a line."""
    runner = Runner(target)
    with tempfile.TemporaryDirectory() as folder, said.open("a") as file:
        for seed in seeds:
            what = seen(seed, runner, Path(folder))
            file.write(what[:300].replace("\n", " ") + "\n")
            file.flush()
    runner.close()


def main() -> int:
    target = sys.argv[1]
    first, count = map(int, [*sys.argv[2:4], *["0", "200"][len(sys.argv) - 2:]])
    verdicts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said.txt")
        while len(verdicts) < count:
            said.write_text("")
            if (child := os.fork()) == 0:  # ONNX Runtime crashes on some graphs
                run(target, range(first + len(verdicts), first + count), said)
                os._exit(0)
            crashed = os.waitpid(child, 0)[1]
            verdicts += said.read_text().splitlines() + ["oracle crashed"] * bool(crashed)
    for what, n in Counter(v for v in verdicts if v.startswith(("refused", "no graph", "oracle"))).most_common():
        print(n, what)
    print(dict(Counter(v.split()[0] for v in verdicts)), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
