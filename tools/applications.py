"""Holds the networks of keras.applications to Keras: ``python tools/applications.py [NAME...] [--formats keras h5]``.

Each network gets random weights that keep its activations at unit scale (see ``settle``), is written by Keras in each
format, taken to ONNX by modelport, and run on the same images by Keras and by ONNX Runtime.  Prints a line a network,
a row of a table: the largest difference relative to the range of the output, for each format; the noise, which is how
far Keras' own output moves when every input moves by its last bit; the seconds of processor time of each conversion;
how many operators of the .onnx, and of a .tflite made of it, move elements by a Transpose; with ``--prove`` the level
and the worst error of ``modelport convert --prove`` for each format ("=" where its .onnx is that of an earlier format,
byte for byte); the verdict.  The exit code is 1 if one differs.

Each network has a process of its own, and its files are deleted as soon as they were compared."""
from __future__ import annotations

import argparse
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from transposes import TARGETS, count

from modelport import api, registry

FORMATS = ("keras", "h5", "savedmodel")
HEADER = ("network", "parameters", "input", *FORMATS, "noise", "seconds", "Transposes", "proof", "verdict")
IMAGE_DEVIATION = 127.0  # the root of the mean square of ``images``, roughly
BAR = 1e-5  # that of every float32 output, see docs/proof.md


def names() -> list[str]:
    import keras

    return sorted(n for n, f in vars(keras.applications).items() if inspect.isfunction(f))


def image_shape(model: Any) -> tuple[int, ...]:
    """The size of its images, and 224 where it takes any (MobileNetV3)."""
    return tuple(d or 224 for d in model.input_shape[1:])


def images(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Two images from 0 to 255: large patches of colour with grain on them, so that the means of patches differ."""
    height, width, depth = shape
    patches = rng.uniform(0, 200, (2, height // 16 + 1, width // 16 + 1, depth)).repeat(16, 1).repeat(16, 2)
    return (patches[:, :height, :width] + rng.uniform(0, 55, (2, *shape))).astype(np.float32)


def computed(model: Any, x: Any, training: bool = False) -> Any:
    """What the layers compute, by the same kernels as outside of a graph, bit for bit; but in a graph each value is
    freed once it was used, of which EfficientNetB7 has some nine gigabytes for two images."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return np.asarray(tf.function(lambda x: model(x, training=training), autograph=False)(x))


def settle(model: Any, rng: np.random.Generator) -> None:
    """Gives weights as training leaves them: scales near one, shifts and biases that are not zero, and the mean and
    variance of every BatchNormalization those of what it really sees.  Shifts of half a deviation keep most of a ReLU
    open; around zero, a deep network of random kernels amplifies the last bit of its input to a visible difference.
    Kernels stay as Keras draws them, but where nothing normalises (VGG) they get the variance of He, and the first one
    the scale of an image, else the signal fades or saturates the softmax."""
    import keras

    layers = list(model._flatten_layers(include_self=False, recursive=True))
    norms = [n for n in layers if isinstance(n, keras.layers.BatchNormalization)]
    plain = not norms and not any(isinstance(n, keras.layers.LayerNormalization) for n in layers)
    grain = IMAGE_DEVIATION
    for w in model.weights:
        name, shape = w.path.rsplit("/", 1)[-1], tuple(w.shape)
        if name == "gamma":
            w.assign(rng.normal(1, 0.1, shape))
        elif name == "beta":
            w.assign(rng.normal(0.5, 0.2, shape))
        elif name == "bias":
            w.assign(rng.normal(0, 0.1, shape))
        elif name == "kernel" and plain:
            deviation = np.float32((2 / np.prod(shape[:-1])) ** 0.5 / grain)
            w.assign(rng.standard_normal(shape, np.float32) * deviation)
            grain = 1.0
    for layer in layers:
        if hasattr(layer, "adapt_mean"):  # EfficientNet's Normalization, of images from 0 to 1
            layer.adapt_mean.assign([0.485, 0.456, 0.406])
            layer.adapt_variance.assign([0.0524, 0.0502, 0.0506])
            layer.finalize_state()
    momenta = [n.momentum for n in norms]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        computed(model, images(rng, image_shape(model)), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def written(model: Any, folder: Path, format: str) -> Path:
    if format == "savedmodel":
        model.export(folder / "saved", verbose=False)
        return folder / "saved"
    model.save(folder / f"net.{format}")
    return folder / f"net.{format}"


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def run(path: Path, x: Any) -> Any:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def transposes(path: Path) -> tuple[int, int]:
    """Those of the .onnx, and those of a .tflite made of it."""
    hub, spec = api.load(path).graph, registry.named("tflite")
    return count(hub, "Transpose"), count(spec.load().from_hub(api.prepare(hub, spec)), TARGETS["tflite"])


def proven(path: Path, out: Path, x: Any) -> tuple[str, float]:
    """The level and the worst error of a conversion that runs the source in its framework, on the images ``x`` too: on
    random numbers a deep network of random weights may say what rounding makes it say."""
    sample = out.with_suffix(".npz")
    np.savez(sample, **{next(iter(api.load(path).graph.inputs)): x})
    report = api.convert(path, out, verify="prove", force=True, sample=sample).report
    assert report is not None
    return report.level if report.verdict == "pass" else report.verdict, max(o.error for o in report.outputs)


def row(name: str, formats: list[str], seed: int, prove: bool) -> tuple[str, bool]:
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = getattr(keras.applications, name)(weights=None)
    settle(model, rng)
    x = images(rng, image_shape(model))
    want = computed(model, x)
    scale = float(want.max() - want.min())
    beside = np.nextafter(x, np.where(rng.random(x.shape) < 0.5, np.float32(-1), np.float32(256)))
    noise = float(np.abs(computed(model, beside) - want).max()) / scale
    errors: dict[str, float] = {}
    seconds, moved, proofs = [], (-1, -1), []
    known: set[bytes] = set()
    with tempfile.TemporaryDirectory(prefix="applications-") as temporary:
        folder, out = Path(temporary), Path(temporary) / "net.onnx"
        for format in formats:
            path = written(model, folder, format)
            begin = time.process_time()
            api.convert(path, out, verify=None)
            seconds.append(f"{time.process_time() - begin:.1f}")
            made = hashlib.sha256(out.read_bytes()).digest()
            if prove and made in known:
                proofs.append(("=", 0.0))  # byte for byte the file that was proven before
            elif prove:
                proofs.append(proven(path, Path(temporary) / "proven.onnx", x))
                known.add(made)
            remove(path)
            errors[format] = float(np.abs(run(out, x) - want).max()) / scale
            moved = max(moved, transposes(out))
            for each in folder.glob("net.onnx*"):
                remove(each)
    worst = float(np.max(list(errors.values())))  # NaN stays NaN, which makes neither comparison true
    # Both computations round, in every layer; the noise is what one rounding does, of the input alone.
    levels = " ".join(p for p, _ in proofs) + f" {max(e for _, e in proofs):.1e}" if proofs else "-"
    verdict = "equal" if worst <= BAR else "within noise" if worst <= 2 * noise else "DIFFERS"
    print(f"output from {want.min():.1e} to {want.max():.1e}", file=sys.stderr)
    size = "x".join(map(str, x.shape[1:3]))
    figures = [f"{errors[f]:.1e}" if f in errors else "-" for f in FORMATS]
    return line(name, f"{model.count_params() / 1e6:.1f} M", size, *figures, f"{noise:.1e}", " ".join(seconds),
                f"{moved[0]} {moved[1]}", levels, verdict), verdict != "DIFFERS" and "fail" not in levels


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks, such as ResNet50; all if none is named")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prove", action="store_true", help="convert with --prove as well: a minute each")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        text, good = row(options.names[0], options.formats, options.seed, options.prove)
        print(text, flush=True)
        return 0 if good else 1
    print(line(*HEADER), line(*["---"] * len(HEADER)), sep="\n", flush=True)
    bad = 0
    for name in options.names or names():
        command = [sys.executable, __file__, name, "--one", "--seed", str(options.seed), "--formats", *options.formats,
                   *["--prove"] * options.prove]
        done = subprocess.run(command, capture_output=True, text=True)
        bad += done.returncode != 0
        print(done.stdout.rstrip() or f"{name}: {(done.stderr.strip().splitlines() or ['killed'])[-1]}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
