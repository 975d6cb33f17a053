"""The latency of tree models that modelport writes, by default and with ``--fast``, against what skl2onnx and
onnxmltools write: ``python benchmarks/tabular.py [NAME...]``.

Needs scikit-learn, XGBoost, LightGBM, skl2onnx and onnxmltools.  Two files of a model run in ONNX Runtime with one
thread, in turns, in one process, a single row being another one each time; once the one is loaded first, once the other
(the place of a file in memory alone makes up to a fifth).  Printed are medians in microseconds, and their ratios."""
from __future__ import annotations

import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import modelport

ROUNDS = 400
BATCHES = (1, 1000)
FEATURES = 20


def models() -> dict[str, Callable[[Any, Any], Any]]:
    import lightgbm
    import xgboost
    from sklearn import ensemble, tree

    def fit(kind: Any, classes: int, **how: Any) -> Callable[[Any, Any], Any]:
        def made(x: Any, score: Any) -> Any:
            shares = (np.arange(1, classes) / max(classes, 1)) ** 1.3  # classes of unequal size, as data has them
            y = np.digitize(score, np.quantile(score, shares)) if classes else score
            return kind(random_state=0, **how).fit(x, y)
        return made
    out: dict[str, Callable[[Any, Any], Any]] = {}
    for classes, name in ((0, "Regressor"), (2, "Classifier"), (5, "Classifier")):
        end = f" {classes} classes" if classes else ""
        for base, kind, how in ((tree, f"DecisionTree{name}", {"max_depth": 8}),
                                (ensemble, f"RandomForest{name}", {"n_estimators": 100, "max_depth": 8}),
                                (ensemble, f"ExtraTrees{name}", {"n_estimators": 50}),
                                (ensemble, f"GradientBoosting{name}", {"n_estimators": 50}),
                                (ensemble, f"HistGradientBoosting{name}", {"max_iter": 50})):
            out[kind + end] = fit(getattr(base, kind), classes, **how)
        out[f"XGB{name}{end}"] = fit(getattr(xgboost, f"XGB{name}"), classes, n_estimators=100, max_depth=6)
        out[f"LGBM{name}{end}"] = fit(getattr(lightgbm, f"LGBM{name}"), classes, n_estimators=100, verbose=-1)
    return out


def theirs(model: Any) -> bytes:
    import onnxmltools
    from skl2onnx import to_onnx
    kind = type(model).__module__.partition(".")[0]
    if kind == "sklearn":
        options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
        return bytes(to_onnx(model, np.zeros((1, FEATURES), np.float32), options=options).SerializeToString())
    types = [("X", onnxmltools.convert.common.data_types.FloatTensorType([None, FEATURES]))]
    if kind == "xgboost":
        return bytes(onnxmltools.convert_xgboost(model, initial_types=types).SerializeToString())
    zipmap = {"zipmap": False} if hasattr(model, "classes_") else {}
    return bytes(onnxmltools.convert_lightgbm(model, initial_types=types, **zipmap).SerializeToString())


def ours(model: Any, fast: bool = False) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.pkl"
        path.write_bytes(pickle.dumps(model))
        modelport.convert(path, path.with_suffix(".onnx"), verify=None, fast=fast)
        return path.with_suffix(".onnx").read_bytes()


def medians(files: list[bytes], x: Any, parts: int) -> list[float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = [onnxruntime.InferenceSession(f, options, providers=["CPUExecutionProvider"]) for f in files]
    feeds = [[{i.name: part.astype(np.float64 if "double" in i.type else np.float32)} for part in np.split(x, parts)]
             for s in sessions for i in s.get_inputs()]
    seen: list[list[float]] = [[] for _ in files]
    rounds = ROUNDS if parts == 1 else 10 * ROUNDS
    order = np.random.default_rng(1)
    for k in range(rounds + rounds // 10):
        for one in order.permutation(len(files)).tolist():  # no file runs behind the same one always, on the same row
            feed = feeds[one][(k + one * parts // len(files)) % parts]
            start = time.perf_counter()
            sessions[one].run(None, feed)
            if k >= rounds // 10:
                seen[one].append(time.perf_counter() - start)
    return [1e6 * float(np.median(t)) for t in seen]


def pair(mine: bytes, other: bytes, x: Any, parts: int) -> tuple[float, float, float]:
    """Microseconds of both, and the ratio."""
    a, b = medians([mine, other], x, parts), medians([other, mine], x, parts)
    return (a[0] + b[1]) / 2, (a[1] + b[0]) / 2, (a[0] / a[1] * b[1] / b[0]) ** 0.5


def main() -> int:
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, FEATURES)).astype(np.float32)
    score = x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + 0.3 * rng.normal(size=len(x))
    print(f"{'model':38}" + "".join(f"{f'batch {b}: theirs':>20}{'ours':>9}{'ratio':>6}{'--fast':>9}{'ratio':>6}"
                                    for b in BATCHES))
    for name, fit in models().items():
        if sys.argv[1:] and not any(a in name for a in sys.argv[1:]):
            continue
        model = fit(x, score)
        try:
            files = [ours(model), ours(model, fast=True), theirs(model)]
        except Exception as e:  # whatever the other converter raises
            print(f"{name:38}  {type(e).__name__}: {str(e).splitlines()[0][:60]}")
            continue
        cells = ""
        for b in BATCHES:
            mine, other, ratio = pair(files[0], files[2], x[:1000], 1000 // b)
            fast, _, least = pair(files[1], files[2], x[:1000], 1000 // b)
            cells += f"{other:20.1f}{mine:9.1f}{ratio:6.2f}{fast:9.1f}{least:6.2f}"
        print(f"{name:38}{cells}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
