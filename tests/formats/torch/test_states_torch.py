"""What changes from call to call (``tools/record_torch_states.py``): every call anew, or inputs and outputs."""
from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.cli.main import main
from modelport.errors import UsageError
from modelport.formats.torch.machine import Box
from modelport.formats.torch.states import State
from modelport.ir.graph import constant

FOLDER = Path(__file__).parents[2] / "recorded" / "torch_files"
KINDS = [f"{name}.{suffix}" for name in ("writes", "sets") for suffix in ("pt2", "pt", "pth")]


@cache
def files() -> dict[str, bytes]:
    with tarfile.open(FOLDER / "states.tar.xz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def answers(name: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(files()[f"{name.partition('.')[0]}.npz"])) as z:
        return {k: z[k] for k in z.files}


def inputs(name: str) -> tuple[str, ...]:
    return () if name.endswith(".pt2") else ("float32[1,3]",)


def saved(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(files()[name])
    return path


@pytest.mark.parametrize("name", KINDS)
def test_calls_go_on_from_each_other(name: str, tmp_path: Path) -> None:
    model = modelport.load(saved(name, tmp_path), inputs=inputs(name), state="explicit")
    case = answers(name)
    states = {n: np.zeros(v.shape, v.dtype) for n, v in model.graph.inputs.items() if n.startswith("state:")}  # type: ignore[arg-type]
    assert set(states) == {f"state:{k.removeprefix('after_')}" for k in case if k.startswith("after_")
                           and "fc" not in k}
    x = next(n for n in model.graph.inputs if n not in states)
    for given, want in zip(case["x"], case["y"], strict=True):
        made = model.run({x: given, **states})
        np.testing.assert_allclose(next(v for n, v in made.items() if not n.startswith("state:")), want, rtol=1e-5,
                                   atol=1e-6)
        states = {n: made[f"{n}:next"] for n in states}
    for n, v in states.items():
        np.testing.assert_allclose(v, case[f"after_{n.removeprefix('state:')}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_every_call_begins_with_the_file(name: str, tmp_path: Path) -> None:
    """Also where the inputs were found by trying, which runs the code more than once."""
    case = answers(name)
    for said in {inputs(name), ()} if name.endswith("pt") else {inputs(name)}:
        model = modelport.load(saved(name, tmp_path), inputs=said)
        for _ in range(2):
            np.testing.assert_allclose(next(iter(model.run(case["x"][0]).values())), case["y"][0], rtol=1e-5, atol=1e-6)
        assert any("every call begins with the values of the file" in str(n) for n in model.notes)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved("writes.pt", tmp_path)
    arguments = ["convert", str(path), str(tmp_path / "w.onnx"), "--inputs", "float32[1,3]", "--state", "explicit"]
    assert main(arguments) == 0
    assert "state:h, state:n are inputs" in capsys.readouterr().err
    assert set(modelport.load(tmp_path / "w.onnx").graph.outputs) == {"output", "state:h:next", "state:n:next"}
    with pytest.raises(UsageError, match="neither 'reset' nor 'explicit'"):
        modelport.load(path, state="sometimes")


def test_lists_and_shared_tensors_are_as_before() -> None:
    shared, inner = Box(constant(np.zeros(2))), Box(constant(np.ones(2)))
    a: dict[str, object] = {"x": shared, "many": [inner]}
    b: dict[str, object] = {"y": shared}
    state = State([("a", a), ("b", b)])
    assert state.changed() == {}
    new = constant(np.full(2, 5.0))
    shared.write(new)
    inner.write(new)
    a["many"].append(3)  # type: ignore[attr-defined]
    changed = state.changed()
    assert sorted(changed) == ["a.many", "a.x"]  # one tensor counts once
    assert changed["a.x"].value is new
    assert a == {"x": shared, "many": [inner]}
    assert (shared.value.numpy() == 0).all()
    assert (inner.value.numpy() == 1).all()


def _texts(data: bytes) -> Iterator[bytes]:
    """All that is in a file, archives within archives too."""
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            for name in z.namelist():
                yield from _texts(z.read(name))
    else:
        yield data


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.tar.xz")), ids=lambda p: p.name)
def test_recordings_tell_nothing_of_machines(path: Path) -> None:
    with tarfile.open(path) as tar:
        for m in tar:
            for text in _texts(tar.extractfile(m).read()):  # type: ignore[union-attr]
                assert not re.search(rb"site-packages|/(tmp|home|root)/[\w.]+/", text), m.name
