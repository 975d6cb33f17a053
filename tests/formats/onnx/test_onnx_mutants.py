"""Damaged files end in a typed error, whatever was damaged; deterministic, a seed for each mutant."""
from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import model

from modelport.codecs.limits import Limits
from modelport.errors import ModelportError
from modelport.formats import onnx as format_onnx

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
MUTANTS = 400
LIMITS = Limits(expanded_bytes=64 << 20, elements=1 << 24, nodes=20_000)
node = helper.make_node


def rich() -> bytes:
    """A model that uses most of what the format has."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    body = helper.make_graph([node("Add", ["m", "w"], ["r"])], "b", [], [helper.make_tensor_value_info("r", 1, None)])
    call = node("F", ["x"], ["f"], domain="my", slope=0.5)
    m = model([call, node("Neg", ["f"], ["m"], name="n", doc_string="d"),
               node("If", ["c"], ["i"], then_branch=body, else_branch=body),
               node("Constant", [], ["k"], value=numpy_helper.from_array(np.zeros(600, np.float32))),
               node("ReduceSum", ["k"], ["s"], axes=[0]), node("Reshape", ["i", "sh"], ["t"]),
               node("Add", ["t", "s"], ["u"]), node("Add", ["u", "e"], ["v"]), node("Add", ["v", "p"], ["y"])],
              {"x": x, "c": np.array(True)}, ["y"], 11,
              initializers={"w": x, "sh": np.array([0, -1]), "big": np.zeros(500, np.int8)}, ir=10)
    leaky = node("LeakyRelu", ["a"], ["o"])
    leaky.attribute.append(onnx.AttributeProto(name="alpha", type=1, ref_attr_name="slope"))
    m.functions.append(helper.make_function("my", "F", ["a"], ["o"], [leaky], [helper.make_opsetid("", 11)], ["slope"]))
    m.opset_import.add(domain="my", version=1)
    e = m.graph.initializer.add(name="e", data_type=1, dims=[2, 3], data_location=1)
    for key, value in (("location", "e.bin"), ("offset", "0"), ("length", "24")):
        e.external_data.add(key=key, value=value)
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(1, np.float32), "p"), numpy_helper.from_array(np.array([4])), [2, 3]))
    helper.set_model_props(m, {"a": "b"})
    return m.SerializeToString()


@lru_cache(maxsize=1)
def sources() -> dict[str, bytes]:
    found = {"rich": rich()}
    for path in sorted((CORPUS / "onnx").rglob("*.onnx")):
        if path.stat().st_size < 400_000:
            found.setdefault(path.parent.name, path.read_bytes())
    return found


def mutate(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if not out:
            break
        # half of the damage where the structure is: corpus files are mostly weights
        at = rng.randrange(min(len(out), 4096)) if rng.random() < 0.5 else rng.randrange(len(out))
        how = rng.randrange(6)
        if how == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif how == 2:
            del out[at:at + rng.choice((1, 2, 16))]
        elif how == 3:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 9)))
        elif how == 4:
            del out[at:]
        else:
            piece = out[at:at + rng.choice((2, 8, 64))]
            to = rng.randrange(len(out) + 1)
            out[to:to] = piece
    return bytes(out)


def attempt(path: Path) -> bool:
    """Whether the file is still read, translated and written; anything but a typed error escapes."""
    try:
        hub = format_onnx.to_hub(format_onnx.read(path, LIMITS))
        for v in hub.constants:
            if v.data is not None and v.data.nbytes < 1 << 20:
                v.data.numpy()
        format_onnx.write(format_onnx.from_hub(hub), path.with_name("out.onnx"))
    except ModelportError:
        return False
    return True


@pytest.mark.parametrize("part", range(5))
def test_mutants(tmp_path: Path, part: int) -> None:
    (tmp_path / "e.bin").write_bytes(np.ones((2, 3), np.float32).tobytes())
    path = tmp_path / "m.onnx"
    for name, data in sources().items():
        path.write_bytes(data)
        assert attempt(path), name
    survived = 0
    names = list(sources())
    for k in range(MUTANTS):
        rng = random.Random(part * MUTANTS + k)
        name = names[0] if k % 2 else rng.choice(names)
        path.write_bytes(mutate(sources()[name], rng))
        survived += attempt(path)
    assert 0 < survived < MUTANTS  # the mutants reach beyond the first check, and do not all pass it


def test_every_truncation(tmp_path: Path) -> None:
    (tmp_path / "e.bin").write_bytes(np.ones((2, 3), np.float32).tobytes())
    path, data = tmp_path / "m.onnx", rich()
    for end in range(0, len(data), 3):
        path.write_bytes(data[:end])
        attempt(path)
