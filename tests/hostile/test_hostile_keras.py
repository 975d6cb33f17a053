"""Hostile files of Keras end in a typed error; nothing runs, nothing outside is read, nothing takes long or much."""
from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modelport
from modelport.errors import ModelportError
from modelport.formats import keras as format_keras

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))
import attacks_keras
from keras_cases import recorded

UNSUPPORTED = {"keras_module_of_the_author", "keras_vocabulary_by_path", "keras_huge_repeat", "keras_huge_one_hot",
               "keras_types_that_make_no_sense"}
"""Configurations that ask for what there is not."""
REFUSALS = (modelport.CorruptFile, modelport.UnsafeModel, modelport.LimitExceeded, modelport.UnsupportedModel)


@pytest.mark.parametrize("name", attacks_keras.KERAS)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = attacks_keras.KERAS[name](folder)
    target = tmp_path / "out.onnx"
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(REFUSALS) as e:
        modelport.convert(path, target, verify=None)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10
    assert "secret of another folder" not in str(e.value)
    assert isinstance(e.value, modelport.UnsupportedModel) == (name in UNSUPPORTED)
    assert not target.exists()
    assert not (folder / attacks_keras.MARKER).exists()


def test_code_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(modelport.UnsafeModel, match="bytecode") as e:
        modelport.load(attacks_keras.keras_lambda(tmp_path))
    assert "SavedModel" in e.value.hint


AUDIT = """
import sys
import modelport, modelport.api, modelport.passes
path, target = sys.argv[1:]
modelport.convert(path, target, verify=None)  # imports what is imported late
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
    if event != "open" or not (what == path or what.startswith(target.rpartition("/")[0])):
        print(event, what)
"""


@pytest.mark.parametrize("case", ["model/residual", "model/residual@2"])
def test_reading_opens_imports_and_runs_nothing_else(case: str, tmp_path: Path) -> None:
    path = tmp_path / ("model.h5" if case.endswith("@2") else "model.keras")
    path.write_bytes(recorded()[case][0])
    (tmp_path / "out").mkdir()
    done = subprocess.run([sys.executable, "-c", AUDIT, str(path), str(tmp_path / "out" / "o.onnx")],
                          capture_output=True, text=True, check=True)
    assert done.stdout == ""


def mutant(data: bytes, rng: random.Random) -> bytes:
    """The file cut off, with bits flipped, or with numbers of its text and its structure replaced."""
    b = bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(b[:rng.randrange(len(b))])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(b))
        if kind == 1:
            b[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            at = rng.randrange(max(1, len(b) - 8)) & ~7
            word = rng.choice([0, 1, (1 << 64) - 1, 1 << 63, rng.randrange(len(b)), rng.randrange(64)])
            b[at:at + 8] = word.to_bytes(8, "little")
        else:  # a piece of the configuration: numbers, words and punctuation
            b[at] = rng.choice(b'0123456789"[]{},:aeZ\x00\xff')
    return bytes(b)


@pytest.mark.parametrize("count", [300, pytest.param(6000, marks=pytest.mark.slow)])
def test_mutants_end_in_typed_errors(count: int, tmp_path: Path) -> None:
    rng = random.Random(count)
    found = recorded()
    chosen = [k for k, v in sorted(found.items()) if not isinstance(v, str)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    good, slowest = 0, 0.0
    for _ in range(count):
        case = rng.choice(chosen)
        path = tmp_path / "mutant"
        path.write_bytes(mutant(found[case][0], rng))
        began = time.process_time()
        try:
            raw = format_keras.read(path)
            str(raw)
            format_keras.to_hub(raw)
            good += 1
        except ModelportError:
            pass
        slowest = max(slowest, time.process_time() - began)
    assert count * 0.05 < good < count * 0.95  # both kinds occur
    assert slowest < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10
