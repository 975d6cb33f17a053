"""What becomes of each Keras case on the way to ONNX.

pass          ONNX Runtime computes from the translation what Keras computes from the model
unsupported   a typed refusal, with its reason
refused       Keras itself does not build or save the case
error         the translation failed otherwise, or does not run
wrong         the translation computes something else
crash         a runtime died

``python tests/conformance/keras_cases.py [PATTERN]`` needs Keras 3 and tf_keras: it makes every model, or those whose
name holds the pattern, records the files and the outputs in ``tests/recorded/keras`` and writes the table; with
``--recorded`` it needs nothing and writes the table from the recording."""
from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from modelport.errors import ModelportError, RuntimeFailed, UnsafeModel, UnsupportedModel
from modelport.formats import keras as format_keras
from modelport.formats import onnx as format_onnx
from modelport.hub.layout import channels_first
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parents[1]))
from cases.keras import CASES, Case, seed

RECORDED = Path(__file__).parents[1] / "recorded" / "keras" / "cases.tar.xz"
EXPECTED = Path(__file__).parent / "expected" / "keras.txt"
Made = "tuple[bytes, list[np.ndarray]] | str"


# -- live


def frameworks() -> dict[bool, Any]:
    """Keras 3 and tf_keras, by whether the case is an old one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import keras
    import tf_keras
    return {False: keras, True: tf_keras}


def live(case: Case, K: Any, folder: Path) -> Any:
    """The file of a case and what Keras computes, or why Keras does not make it."""
    import tensorflow as tf
    K.backend.clear_session()
    K.utils.set_random_seed(seed(case.name) % (1 << 30))
    kept: set[int] = set()

    def adapted(layer: Any, data: Any) -> Any:
        layer.adapt(data)
        kept.update(id(w) for w in layer.weights)
        return layer

    def frozen(model: Any, layer: int) -> Any:
        model.layers[layer].trainable = False
        return model
    names = {"L": K.layers, "ops": getattr(K, "ops", None), "K": K, "np": np, "tf": tf, "adapted": adapted,
             "frozen": frozen}
    try:
        inputs = []
        for k, (g, array) in enumerate(zip(case.inputs, case.arrays, strict=True)):
            shape = [None if a in g.dynamic else d for a, d in enumerate(array.shape)]
            dtype = "string" if array.dtype == object else array.dtype.name
            batch = None if g.batch else array.shape[0]
            inputs.append(K.Input(shape=tuple(shape[1:]), batch_size=batch, dtype=dtype, name=f"x{k}"))
        made = eval(case.expression, names)
        if isinstance(made, K.layers.Layer):
            y = made(inputs[0] if len(inputs) == 1 else inputs)
        else:
            y = made(*inputs)
        model = K.Model(inputs[0] if len(inputs) == 1 else inputs, y)
        weights(model, np.random.default_rng(seed(case.name)), kept)
        given = [tf.constant(a.tolist(), tf.string) if a.dtype == object else tf.constant(a) for a in case.arrays]
        out = model(given[0] if len(given) == 1 else given, training=False)
        path = folder / f"model{case.suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(path)
        flat = tf.nest.flatten(out)
        return slim(path), [_plain(np.asarray(v)) for v in flat]
    except Exception as e:
        return f"refused: {type(e).__name__}: {' '.join(str(e).split())[:80]}"


def slim(path: Path) -> bytes:
    """The bytes of a file, without the numbers that are others at each saving and tell nothing."""
    if path.suffix != ".keras":
        return path.read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(".json"):
                data = json.dumps(_bare(json.loads(data))).encode()
            new.writestr(zipfile.ZipInfo(info.filename), data)
    return out.getvalue()


def _bare(x: Any) -> Any:
    if isinstance(x, dict):
        drop = ("shared_object_id", "date_saved", "compile_config")
        return {k: _bare(v) for k, v in x.items() if k not in drop and not k.endswith(("_initializer", "_regularizer",
                                                                                       "_constraint"))}
    return [_bare(y) for y in x] if isinstance(x, list) else x


def weights(model: Any, rng: np.random.Generator, kept: set[int]) -> None:
    """Weights that show every mistake and take little room: sixteenths, variances and scales positive."""
    for w in model.weights:
        value = np.asarray(w)
        path = getattr(w, "path", w.name)
        if id(w) in kept or "seed" in path or "spectrogram" in path or (value.dtype.kind in "iu" and value.ndim == 0):
            continue
        if path.endswith("g_idx"):
            new = np.arange(value.size) // 2  # groups of two
        elif value.dtype == np.uint8:
            new = rng.integers(0, 256, value.shape)
        elif value.dtype == np.int8:
            new = rng.integers(-100, 100, value.shape)
        elif value.dtype.kind in "iu":
            continue
        elif "variance" in path or "scale" in path.rpartition("/")[2]:
            steps = 60 if "kernel_scale" in path or "embeddings_scale" in path else 1  # how many make one, of integers
            new = rng.integers(8, 32, value.shape) / 16 * steps
        else:
            new = rng.integers(-16, 17, value.shape) / 16
        w.assign(new.astype(value.dtype))


# -- recorded


def record(pattern: str = "") -> dict[str, Any]:
    """Makes the cases with Keras and writes the recording; those whose name lacks the pattern stay as they were."""
    old = recorded() if pattern else {}
    found: dict[str, Any] = {}
    by = frameworks()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES.values():
            if pattern in case.name or case.name not in old:
                print(case.name, file=sys.stderr, flush=True)
                found[case.name] = live(case, by[case.old], Path(folder))
            else:
                found[case.name] = old[case.name]
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(RECORDED, "w:xz", preset=9) as tar:
        for kind in (0, 1):
            for name, made in found.items():
                if isinstance(made, str):
                    if kind:
                        _put(tar, f"{name}.txt", made.encode())
                elif kind:
                    buffer = io.BytesIO()
                    np.savez(buffer, *[a.astype("U") if a.dtype == object else a for a in map(_plain, made[1])])
                    _put(tar, f"{name}.npz", buffer.getvalue())
                else:
                    _put(tar, name + CASES[name].suffix, made[0])
    return found


def _plain(a: np.ndarray) -> np.ndarray:
    if a.dtype == object:
        return np.array([s.decode() if isinstance(s, bytes) else s for s in a.ravel()], "U").reshape(a.shape)
    if a.dtype.name == "bfloat16":
        return a.astype(np.float32)
    if a.dtype == np.float32 and a.size and np.isfinite(a).all() and 1e-6 < np.abs(a).max() < 1e30:
        # in steps of 2^-19 or less of the largest: a tenth of what a comparison allows, and a fifth less to record
        step = 2.0 ** (np.floor(np.log2(np.abs(a).max())) - 19)
        return (np.rint(a / step) * step).astype(np.float32)
    return a


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def recorded() -> dict[str, Any]:
    """The files and outputs on record."""
    files: dict[str, bytes] = {}
    with tarfile.open(RECORDED, "r:xz") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            files[member.name] = stream.read()
    out: dict[str, Any] = {}
    for name, case in CASES.items():
        if f"{name}.txt" in files:
            out[name] = files[f"{name}.txt"].decode()
        elif f"{name}.npz" in files:
            with np.load(io.BytesIO(files[f"{name}.npz"])) as z:
                out[name] = files[name + case.suffix], [z[k] for k in z.files]
    return out


# -- verdicts


def run(found: dict[str, Any], only: str = "") -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as target:
        for name, made in found.items():
            if only in name:
                yield name, made if isinstance(made, str) else verdict(CASES[name], *made, Path(folder), target)


def verdict(case: Case, data: bytes, want: list[np.ndarray], folder: Path, target: isolated.Worker) -> str:
    file, onnx = folder / f"case{case.suffix}", folder / "case.onnx"
    file.write_bytes(data)
    try:
        hub = format_keras.to_hub(format_keras.read(file))
        format_onnx.write(format_onnx.from_hub(channels_first(hub)), onnx)
    except UnsupportedModel as e:
        return f"unsupported: {e.problems[0].reason}"
    except UnsafeModel as e:
        return f"unsupported: {e.message.partition(',')[0]}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    try:
        session = target.open("onnxruntime", onnx, optimize=False)
        got = session.run(dict(zip(session.inputs, case.arrays, strict=True)))
    except RuntimeFailed as e:
        return "crash: ONNX Runtime" if "crashed" in e.message else f"error: {e.message.splitlines()[0]}"
    if len(got) != len(want):
        return f"wrong: {len(got)} outputs instead of {len(want)}"
    for k, (a, b) in enumerate(zip(want, got.values(), strict=True)):
        if difference := compare(a, b, case):
            return f"wrong: output {k} {difference}"
    return "pass"


def compare(want: np.ndarray, got: np.ndarray, case: Case) -> str:
    """What is different; empty if nothing is.

    Real numbers may differ by the rounding of a different order of summation: 1e-5 of the largest, some 80 units in
    the last place of float32; where a layer computes in half precision by a few of its units, 2^-10 (2^-7 of bfloat16),
    since ONNX Runtime rounds between operators where TensorFlow does not."""
    if want.dtype.kind == "U":
        want = want.astype(object)
    if got.dtype.name == "bfloat16":
        got = got.astype(np.float32)
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    if want.size == 0:
        return ""
    if want.dtype.kind == "f":
        same = (want == got) | (np.isnan(want) & np.isnan(got))
        finite = np.isfinite(want)
        part = 2e-2 if "bfloat16" in case.name else 2e-3 if "float16" in case.name else 1e-5
        limit = part * max(1e-3, float(np.abs(want[finite]).max(initial=0)))
        with np.errstate(invalid="ignore"):
            error = np.where(same, 0, np.abs(want.astype(np.float64) - got))
        return "" if (error <= limit).all() else f"by {np.nanmax(error):.3g}, limit {limit:.3g}"
    return "" if (want == got).all() else f"{np.count_nonzero(want != got)} of {want.size} elements"


def table(found: dict[str, Any]) -> str:
    """Every verdict, one a line."""
    return "".join(f"{name:<64} {what}\n" for name, what in sorted(run(found)))


if __name__ == "__main__":
    if "--recorded" in sys.argv:
        result = recorded()
    else:
        result = record(next(iter(sys.argv[1:]), ""))
    EXPECTED.write_text(table(result))
