"""Texts taken apart into letters, and hash functions of them, in ONNX Runtime."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.errors import RuntimeFailed
from modelport.formats import onnx as format_onnx
from modelport.formats.tensorflow.interpret.hashes import fingerprint64
from modelport.hub import hashes, letters
from modelport.hub.infer import builder
from modelport.ir.graph import Graph, Value
from modelport.ir.types import STRING, Type
from modelport.proof import suite
from modelport.proof.domains import domains
from modelport.runtimes import start

RNG = np.random.default_rng(4)


def graph(make: Callable[[Any, Value], Value]) -> Graph:
    x = Value(Type(STRING, ("N",)), "x")
    return Graph({"x": x}, {"y": make(builder(), x)})


def run(make: Callable[[Any, Value], Value], folder: Path, *batches: list[str]) -> list[np.ndarray]:
    format_onnx.write(format_onnx.from_hub(graph(make)), folder / "m.onnx")
    session = start("onnxruntime", folder / "m.onnx")
    return [session.run({"x": np.array(b, object)})["y"] for b in batches]


def test_every_letter_is_told_apart_and_others_stop_the_run(tmp_path: Path) -> None:
    (got,) = run(lambda op, x: letters.apart(op, x)[0], tmp_path, [letters.EVERYTHING, "", "a", "a\u0416"])
    assert got[0].tolist() == list(letters.EVERYTHING)
    assert [[c for c in row if c] for row in got[1:, :5].tolist()] == [[], ["a"], ["a", "\u0416"]]
    for other in ("\u4e2d", "a\U0001f600", letters.BEGIN, letters.STRANGE, letters.SPACE):
        with pytest.raises(RuntimeFailed, match="out of data bounds"):
            run(lambda op, x: letters.apart(op, x)[0], tmp_path, ["a", other])


def test_texts_of_all_lengths_have_their_fingerprint(tmp_path: Path) -> None:
    """Each by itself, and together with others: shorter ones are not disturbed by what longer ones need."""
    some = list("abcXYZ 019_.,!?\t\n~\u00e9\u00df\u017e\u03b1\u03c9\u0436\u042f\u2014")
    texts = ["".join(RNG.choice(some, int(n))) for n in [*range(70), *RNG.integers(60, 400, 30)]]
    buckets = (1 << 62) + 7
    together, empty, *alone = run(lambda op, x: hashes.bucket(op, x, buckets), tmp_path, texts, [""],
                                  *([t] for t in texts))
    want = [fingerprint64(t.encode()) % buckets for t in texts]
    assert together.tolist() == want
    assert [a.tolist() for a in alone] == [[h] for h in want]
    assert empty.tolist() == [fingerprint64(b"") % buckets]


def test_the_proof_draws_texts_that_the_graph_can_tell_apart() -> None:
    made = graph(lambda op, x: hashes.bucket(op, x, 1000))
    known = domains(made)["x"].alphabet
    assert known is not None and known == set(letters.EVERYTHING)
    drawn = {str(t) for f in suite(made).feeds for t in f.arrays["x"].ravel()}
    assert all(known.issuperset(t) for t in drawn) and any(not t.isascii() for t in drawn)
    assert {len(t.encode()) for t in drawn} & set(range(65, 400)) and "" in drawn
    plain = graph(lambda op, x: op.StringConcat(x, x))
    assert domains(plain)["x"].alphabet is None
    assert any("\u4e2d" in str(t) for f in suite(plain).feeds for t in f.arrays["x"].ravel())
