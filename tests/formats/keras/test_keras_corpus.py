"""Real files of Keras: converted, or refused with a reason; they compute what was recorded, or what Keras computes."""
from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from modelport.codecs import hdf5
from modelport.errors import ModelportError, RuntimeFailed
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parent))
from keras_corpus import FILES, SUITE, apart, hub_of, inputs, members, models, onnx_of, run

REFUSED = {  # and why that is right
    "pre_pr22362_nested_container.keras": "a subclassed model",
    "space_to_depth_simple_tensorflow_2.h5": "Lambda",
}
TURNED = {"conv2d_theano_2.h5"}
"""Trained on Theano, whose convolutions turn their kernels by half a turn: Keras up to 2.3 turned them when it loaded
the file on TensorFlow, as we do; tf_keras forgets to, and computes another model."""
BAR = 2e-5
"""Of the largest output: float32 sums in another order, through a few dozen layers."""


def test_files_convert() -> None:
    if not FILES:
        pytest.skip("no corpus beside the checkout")
    for path in FILES:
        if path.name in REFUSED:
            with pytest.raises(ModelportError, match=REFUSED[path.name]):
                hub_of(path)
        else:
            hub_of(path)
    refused = sum(p.name in REFUSED for p in FILES)
    assert refused <= 0.1 * len(FILES)


def test_the_suite_converts(tmp_path: Path) -> None:
    if SUITE is None:
        pytest.skip("no corpus beside the checkout")
    refused = 0
    for name, data in models().items():
        path = tmp_path / "model.h5"
        path.write_bytes(data)
        short = name.rpartition("/")[2]
        if short in REFUSED:
            with pytest.raises(ModelportError, match=REFUSED[short]):
                hub_of(path)
            refused += 1
        else:
            hub_of(path)
    assert len(models()) > 150
    assert refused <= 0.05 * len(models())


def recordings() -> list[str]:
    found = members()
    return [k for k in found if k.endswith("_model.h5") and k.replace("_model.h5", "_inputs_and_outputs.h5") in found]


@pytest.mark.parametrize("name", recordings(), ids=lambda n: n.rpartition("/")[2])
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(members()[name])
    record = hdf5.File(members()[name.replace("_model.h5", "_inputs_and_outputs.h5")]).root
    given, wanted = record.group("inputs"), record.group("predictions")
    assert given is not None and wanted is not None
    feeds = {k: given.get(k).numpy().astype(np.float32) for k in given}  # type: ignore[union-attr]
    with isolated.Worker() as worker:
        session = worker.open("onnxruntime", onnx_of(path, tmp_path / "m.onnx"), optimize=False)
        assert set(feeds) == set(session.inputs)
        got = session.run(feeds)
    for key in wanted:
        assert apart(wanted.get(key).numpy(), got[key]) < BAR  # type: ignore[union-attr]


def test_there_are_recordings() -> None:
    if SUITE is None:
        pytest.skip("no corpus beside the checkout")
    assert len(recordings()) >= 18


@pytest.mark.oracle
@pytest.mark.slow
def test_the_corpus_agrees_with_keras(tmp_path: Path) -> None:
    """Every file that converts computes what the older Keras (or today's, for .keras) computes from it."""
    if not FILES:
        pytest.skip("no corpus beside the checkout")
    if find_spec("tf_keras") is None or find_spec("keras") is None:
        pytest.skip("Keras and tf_keras are not installed")
    files: list[tuple[str, Path | bytes]] = [(p.as_posix(), p) for p in FILES] + list(models().items())
    wrong, ran, unread = {}, 0, {}
    with isolated.Worker() as oracle, isolated.Worker() as worker:
        for name, file in files:
            if name.rpartition("/")[2] in REFUSED:
                continue
            path = file if isinstance(file, Path) else tmp_path / "model.h5"
            if isinstance(file, bytes):
                path.write_bytes(file)
            onnx = onnx_of(path, tmp_path / "m.onnx")
            try:
                session = oracle.open("keras", path, generation=3 if path.suffix == ".keras" else 2)
                feeds = inputs(dict(session.inputs), name)
                want = list(session.run(feeds).values())
            except RuntimeFailed as e:
                unread[name] = e.message
                continue
            ran += 1
            got = run(worker, onnx, feeds)
            error = max(apart(a, b) for a, b in zip(want, got, strict=True))
            if not error < BAR and name.rpartition("/")[2] not in TURNED:
                wrong[name] = error
    assert not wrong
    print(f"{ran} of {len(files)} files agree; Keras cannot open or run {len(unread)}: {unread}")
    assert ran >= 0.9 * len(files)
