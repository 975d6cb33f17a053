"""Networks of keras.applications, from .keras and .h5, compute what Keras computes; converting one takes no second.

A fixed small set, one of each way to build a network; tried with all of the package when the reader was written."""
from __future__ import annotations

import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parent))
from keras_corpus import apart, hub_of, onnx_of, run

pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras, with this version of numpy

NETS = {"MobileNetV2": 64, "EfficientNetB0": 64, "DenseNet121": 64, "ResNet50V2": 64, "Xception": 96,
        "NASNetMobile": 224, "ConvNeXtTiny": 64, "MobileNetV3Small": 64}
LEFT = {"ConvNeXtTiny": 45}
"""Transpositions left over: one, but in networks of dense layers and layer normalisation between convolutions."""


def network(name: str, size: int) -> tuple[Any, np.ndarray]:
    """A network with random weights whose batch statistics are those of a batch: signals stay of one size."""
    import keras
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    model = getattr(keras.applications, name)(weights=None, classes=10, classifier_activation=None,
                                              input_shape=(size, size, 3))
    rng = np.random.default_rng(7)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
            if layer.scale:
                layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.2, layer.beta.shape))
    x = rng.uniform(0, 255 if name.startswith(("Eff", "MobileNetV3", "Conv")) else 1, (2, size, size, 3))
    model(x.astype(np.float32), training=True)
    return model, x.astype(np.float32)


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_network(name: str, tmp_path: Path) -> None:
    if find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    model, x = network(name, NETS[name])
    want = np.asarray(model(x, training=False))
    moved = np.asarray(model(np.nextafter(x, np.float32(1e9)), training=False))
    noise = apart(want, moved)  # what a change of the last bit of the input does to the output
    with isolated.Worker() as worker:
        for suffix in (".keras", ".h5"):
            path = tmp_path / f"model{suffix}"
            model.save(path)
            (got,) = run(worker, onnx_of(path, tmp_path / "m.onnx"), {"x": x})
            assert apart(want, got) < max(1e-5, 10 * noise)
    from modelport.hub.layout import channels_first
    turned = sum(n.op == "Transpose" for n in channels_first(hub_of(path)).nodes)
    assert turned <= LEFT.get(name, 2)


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_a_conversion_costs(suffix: str, tmp_path: Path) -> None:
    """MobileNetV2, verification off: at most 0.8 seconds of CPU, the start of Python included."""
    if find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    import keras
    path = tmp_path / f"model{suffix}"
    keras.applications.MobileNetV2(weights=None).save(path)
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "modelport", "convert", str(path), str(tmp_path / "m.onnx"),
                        "--no-verify", "--force"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    print(f"{suffix}: {min(spent):.2f} s")
    assert min(spent) < 0.8
