"""Hashes of texts: MurmurHash3 by whole numbers, and what becomes of characters that have no bytes in the graph."""
from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.errors import UnsupportedModel

C1, C2, LOW = 0xcc9e2d51, 0x1b873593, 0xffffffff


def murmur(data: bytes) -> int:
    """MurmurHash3 of 32 bits for x86, with the seed zero, as a signed number."""
    def turned(x: int, bits: int) -> int:
        return (x << bits | x >> (32 - bits)) & LOW
    h = 0
    for k in range(0, len(data), 4):
        block = data[k:k + 4]
        h ^= turned(int.from_bytes(block, "little") * C1 & LOW, 15) * C2 & LOW
        h = (turned(h, 13) * 5 + 0xe6546b64) & LOW if len(block) == 4 else h
    h ^= len(data)
    for bits, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35), (16, 1)):
        h = (h ^ h >> bits) * factor & LOW
    return h - (1 << 32 if h >> 31 else 0)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that writes the pickle of an object of scikit-learn, which is not needed."""
    def pickled(module: str, name: str, **state: Any) -> Path:
        for k in range(1, module.count(".") + 2):
            part = ".".join(module.split(".")[:k])
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        cls = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, cls)
        thing = cls()
        thing.__dict__.update(state)
        path = tmp_path / "made.pkl"
        path.write_bytes(pickle.dumps(thing))
        return path
    return pickled


def vectorizer(made: Any, **settings: Any) -> Any:
    return modelport.load(made("sklearn.feature_extraction.text", "HashingVectorizer", **{
        "n_features": 4096, "norm": None, "token_pattern": r"(?u)\b\w\w+\b", "ngram_range": (1, 1), **settings}))


def test_the_reference_is_murmur_hash() -> None:
    """Values that are published with the algorithm's other implementations."""
    known = {b"": 0, b"test": 0xba6bd213, b"Hello, world!": 0xc0363e43,
             b"The quick brown fox jumps over the lazy dog": 0x2e4ff723}
    assert {k: murmur(k) & LOW for k in known} == known


def test_texts_of_any_length_have_their_hash(made: Any) -> None:
    rng = np.random.default_rng(0)
    letters = list("abcXYZ 019_.,!?\t\n~\u00e9\u00df\u017e\u03b1\u03c9\u0436\u042f\u2014")
    texts = ["".join(rng.choice(letters, int(n))) for n in [*range(1, 24), 40, 63, 64, 65, *rng.integers(1, 30, 40)]]
    model = modelport.load(made("sklearn.feature_extraction._hash", "FeatureHasher", n_features=1009,
                                input_type="string"))
    got = model.run(np.array(texts, object)[:, None])["transformed"]
    for text, row in zip(texts, got, strict=True):
        h = murmur(text.encode())
        assert np.flatnonzero(row).tolist() == [abs(h) % 1009] and row.sum() == (1 if h >= 0 else -1), text


def test_terms_with_other_characters_are_left_out_with_a_note(made: Any) -> None:
    model = vectorizer(made)
    got = model.run(np.array([["fox \u65e5\u672c dog"], ["fox dog"], ["\u65e5\u672c"], [""]], object))["transformed"]
    assert np.array_equal(got[0], got[1]) and np.count_nonzero(got[1]) == 2 and not got[2:].any()
    assert any(n.kind == "approximated" and "left out" in n.message for n in model.notes)


def test_marks_of_the_translation_are_characters_like_others(made: Any) -> None:
    """Characters of the private use area stand for white space and for the begin of a text inside of the graph."""
    model = vectorizer(made, analyzer="char")
    plain, marked = model.run(np.array([["a b"], ["a\ue000\uf8feb"]], object))["transformed"]
    assert np.abs(plain).sum() == 3 and np.abs(marked).sum() == 2


def test_a_linear_model_looks_only_at_the_words_that_are_there(made: Any, tmp_path: Path) -> None:
    """A million columns: no product of matrices, and as many coefficients as the file has."""
    hasher = pickle.loads(made("sklearn.feature_extraction.text", "HashingVectorizer", n_features=1 << 20, norm="l2",
                               token_pattern=r"(?u)\b\w\w+\b", ngram_range=(1, 1)).read_bytes())
    coef = np.random.default_rng(1).normal(size=(1, 1 << 20))
    ridge = pickle.loads(made("sklearn.linear_model._ridge", "Ridge", coef_=coef[0], intercept_=0.5).read_bytes())
    path = made("sklearn.pipeline", "Pipeline", steps=[("hash", hasher), ("ridge", ridge)])
    model = modelport.load(path)
    hashes = [murmur(w) for w in (b"fox", b"the")]
    weights = [(2 if k else 1) * (1 if h >= 0 else -1) for k, h in enumerate(hashes)]
    want = sum(w * coef[0, abs(h) % (1 << 20)] for w, h in zip(weights, hashes, strict=True)) / np.sqrt(5) + 0.5
    got = model.run(np.array([["The fox, the"]], object))["prediction"]
    assert abs(got[0] - want) < 1e-12
    assert "MatMul" not in {n.op for n in model.graph.nodes}


def test_texts_without_a_term_have_none(made: Any) -> None:
    for settings in ({}, {"analyzer": "char"}, {"analyzer": "char_wb", "ngram_range": (2, 3)}):
        model = vectorizer(made, **settings)
        for texts in ([[""]], [[""], ["  "]]):
            got = model.run(np.array(texts, object))["transformed"]
            assert got.shape == (len(texts), 4096)
            assert settings.get("analyzer") == "char" or not got.any()


def test_what_cannot_be_said_is_refused(made: Any) -> None:
    with pytest.raises(UnsupportedModel, match="tokenizer of your own"):
        vectorizer(made, tokenizer=len)
    with pytest.raises(UnsupportedModel, match="input_type='dict'"):
        modelport.load(made("sklearn.feature_extraction._hash", "FeatureHasher", n_features=8))
