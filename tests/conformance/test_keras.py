"""The reader's verdict on every Keras case is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from dear import quick
from keras_cases import CASES, EXPECTED, RECORDED, frameworks, live, recorded, run

from modelport.formats.keras import layers
from modelport.formats.keras.to_onnx import to_onnx


def table() -> dict[str, str]:
    return {line[:64].strip(): line[64:].strip() for line in EXPECTED.read_text().splitlines()}


def agree(names: set[str]) -> None:
    found, wanted = recorded(), table()
    assert set(found) == set(wanted)
    assert dict(run({k: v for k, v in found.items() if k in names})) == {k: wanted[k] for k in names}, \
        "python tests/conformance/keras_cases.py --recorded writes the new table"


def test_verdicts_are_those_on_record() -> None:
    """From files and outputs that Keras made; no framework is needed."""
    agree(quick(table()))


@pytest.mark.slow
def test_verdicts_of_dear_cases() -> None:
    agree(set(table()) - quick(table()))


def test_nothing_on_record_is_wrong() -> None:
    assert len(table()) == len(CASES) > 1700
    assert not {k: v for k, v in table().items() if v != "pass" and not v.startswith("unsupported: ")}


def test_the_recording_is_small() -> None:
    assert RECORDED.stat().st_size < 900_000


def test_every_layer_has_a_case() -> None:
    """Every class of layers that a rule translates, or that is the identity, is in the name of a case that passes."""
    passed = {n.partition("/")[0].partition("@")[0] for n, v in table().items() if v == "pass"}
    made = {op for op in to_onnx if op[0].isupper() and "." not in op} | layers.IDENTITY
    other = {
        "CuDNNLSTM", "CuDNNGRU",  # against numpy, in test_keras_container.py: no framework here has them
        "LayerScale", "StochasticDepth",  # in the networks of test_keras_applications.py
        "CustomScaleLayer",  # of InceptionResNetV2: docs/applications.md
        "Highway",  # of Keras 1: never run, no file of one was found
        "Equalization"}  # Keras cannot call it in a functional model
    assert made - passed - other == set()


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Keras, with this version of numpy
def test_live_models(tmp_path: Path) -> None:
    """The same cases made anew: what Keras computes now is what was recorded, or at least what we compute."""
    if find_spec("keras") is None or find_spec("tf_keras") is None:
        pytest.skip("Keras and tf_keras are not installed")
    # a process of its own: what other tests told TensorFlow decides which kernels it has for channels first
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_keras; test_keras.anew()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def anew() -> None:
    """Prints what is not as on record of every fourth case, made by Keras and tf_keras here and now."""
    by = frameworks()
    chosen = [c for k, c in enumerate(CASES.values()) if k % 4 == 0]
    made = {c.name: live(c, by[c.old], Path.cwd()) for c in chosen}
    expected = table()
    print(json.dumps({k: v for k, v in run(made) if v != expected[k]}))
