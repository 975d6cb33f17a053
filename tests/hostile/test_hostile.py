"""Hostile files end in a typed error, or convert; never a stack trace, a hang, a crash, or much memory."""
from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modelport

sys.path.insert(0, str(Path(__file__).parent))
import attacks

REFUSALS = (modelport.CorruptFile, modelport.UnsafeModel, modelport.UnknownFormat, modelport.LimitExceeded,
            modelport.UnsupportedModel, modelport.UsageError)
ALL = {**attacks.ONNX, **attacks.TFLITE, **attacks.OTHER}
UNSUPPORTED = {"names_with_escapes", "operator_unknown", "while_on_itself", "loop_body_of_a_wrong_size"}
"""Well-formed files that ask for what there is not: a located ``Unsupported``."""
HARMLESS = {"zip_bomb_behind", "names_that_are_not_text"}
"""Files whose spoilt part is not needed: they may convert."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.mark.parametrize("name", sorted(ALL))
def test_it_is_refused(name: str, folder: Path) -> None:
    path = ALL[name](folder)
    target = folder.parent / "out.onnx"
    began = time.perf_counter()
    refusal = None
    try:
        modelport.convert(path, target, verify=None)
    except REFUSALS as e:
        refusal = e
    assert time.perf_counter() - began < 5
    if refusal is None:
        assert name in HARMLESS
        assert attacks.SECRET not in target.read_bytes()
        return
    text = str(refusal)
    assert attacks.SECRET.decode() not in text
    assert "\x1b" not in text
    assert name in UNSUPPORTED or not isinstance(refusal, modelport.UnsupportedModel), text
    assert not isinstance(refusal, modelport.CorruptFile) or refusal.path is not None
    assert not target.exists()


@pytest.mark.parametrize("name", sorted(attacks.BOMBS))
def test_a_bomb_does_not_go_off(name: str, folder: Path) -> None:
    """Folding stops at its budget; the model converts, its bomb still inside."""
    path = attacks.BOMBS[name](folder)
    began = time.perf_counter()
    modelport.convert(path, folder.parent / "out.onnx", verify=None)
    assert time.perf_counter() - began < 5
    assert (folder.parent / "out.onnx").stat().st_size < 1_000_000


CHILD = """
import resource, sys
import modelport, modelport.api, modelport.formats.onnx, modelport.formats.tflite
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    modelport.convert(sys.argv[1], sys.argv[2], verify=None)
except modelport.ModelportError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", ["dims_huge", "a_billion_laughs", "nested_10000_deep", "zip_bomb_behind",
                                  "vectors_that_claim_gigabytes", "external_device", "graph_of_groups",
                                  "constant_of_2_to_the_40", "doubling_constants"])
def test_memory_stays_small(name: str, folder: Path) -> None:
    """At most four times the file and 200 MB more than the process had."""
    path = {**ALL, **attacks.BOMBS}[name](folder)
    done = subprocess.run([sys.executable, "-c", CHILD, str(path), str(folder.parent / "out.onnx")],
                          capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) * 1024 < 4 * path.stat().st_size + 200e6


def test_the_command_line_shows_no_stack_trace(folder: Path) -> None:
    for name in ("cycle", "external_parent", "dims_huge", "text"):
        for old in folder.iterdir():
            old.unlink()
        path = ALL[name](folder)
        done = subprocess.run([sys.executable, "-m", "modelport", "inspect", str(path)], capture_output=True, text=True)
        assert done.returncode in (3, 4), name
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


AUDIT = """
import sys
import modelport, modelport.api, modelport.passes
from modelport.formats import onnx, tflite
from modelport.codecs.limits import DEFAULT
path, target, allowed = sys.argv[1], sys.argv[2], set(sys.argv[3:])
modelport.convert(sys.argv[1], target, verify=None)  # imports what is imported late
seen = []
def hook(event, arguments):
    if event in ("import", "exec", "compile", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen",
                 "socket.connect", "socket.bind", "ctypes.dlopen", "pickle.find_class", "marshal.loads"):
        seen.append((event, str(arguments[0])[:200]))
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        seen.append((event, arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()))
sys.addaudithook(hook)
modelport.convert(path, target, verify=None, force=True)
for event, what in list(seen):
    if event != "open" or not any(what.startswith(a) for a in allowed):
        print(event, what)
"""


@pytest.mark.parametrize("which", ["tflite", "onnx", "external"])
def test_reading_opens_imports_and_runs_nothing_else(which: str, tmp_path: Path) -> None:
    """An audit hook sees every open, import and execution: only the model, its data and the destination are opened."""
    digits = Path(__file__).parents[2] / "examples" / "digits" / "digits.tflite"
    source = digits
    if which != "tflite":
        source = tmp_path / "source.onnx"
        modelport.convert(digits, source, verify=None, external_data=which == "external")
    done = subprocess.run([sys.executable, "-c", AUDIT, str(source), str(tmp_path / "out.onnx"), str(source),
                           str(tmp_path / ".out.onnx."), str(tmp_path), "source.onnx.data"],
                          capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_a_full_disk_leaves_the_destination(tmp_path: Path) -> None:
    """The file-size limit of the process stands in for a full disk."""
    target = tmp_path / "out.onnx"
    target.write_bytes(b"before")
    code = ("import resource, signal, sys, modelport; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
            "modelport.convert(sys.argv[1], sys.argv[2], verify=None, force=True)")
    source = Path(__file__).parents[2] / "examples" / "digits" / "digits.tflite"
    done = subprocess.run([sys.executable, "-c", code, str(source), str(target)], capture_output=True, text=True)
    assert done.returncode != 0
    assert "WriteFailed" in done.stderr
    assert target.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.onnx"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
