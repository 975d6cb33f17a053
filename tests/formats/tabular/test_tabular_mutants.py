"""Broken pickles and boosters: an error of ours, or a graph; nothing else, and nothing that takes long."""
from __future__ import annotations

import contextlib
import random
import sys
import time
from pathlib import Path

import pytest

from modelport.errors import ModelportError, Unsupported
from modelport.formats import lightgbm, sklearn, xgboost

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from tabular_cases import FAMILIES, recorded

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"


def mutant(data: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 6])):
        at, what = rng.randrange(len(made)), rng.randrange(5)
        if what == 0:
            made[at] = rng.randrange(256)
        elif what == 1:
            made[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            made[at:at + 8] = bytes(rng.randrange(256) for _ in range(8))
        elif what == 3 and len(made) > 16:
            del made[at:at + rng.randrange(1, 6)]
        else:
            made[at:at] = made[max(0, at - 9):at]
    return bytes(made)


def tried(module: object, data: bytes, path: Path) -> None:
    path.write_bytes(data)
    began = time.process_time()
    with contextlib.suppress(ModelportError, Unsupported):
        module.to_hub(module.read(path))  # type: ignore[attr-defined]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("family", FAMILIES)
def test_mutants_of_pickles(family: str, tmp_path: Path) -> None:
    rng = random.Random(f"pickles {family}")
    files = [m[0] for m in recorded(family).values() if not isinstance(m, str) and len(m[0]) < 20_000]
    for _ in range(120):
        tried(sklearn, mutant(rng.choice(files), rng), tmp_path / "mutant.pkl")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_mutants_of_boosters(library: str, tmp_path: Path) -> None:
    rng = random.Random(f"boosters {library}")
    folders = [CORPUS / library, CORPUS / "derived" / library]
    files = [p.read_bytes() for f in folders for p in sorted(f.rglob("*"))
             if p.suffix in (".model", ".json", ".ubj", ".bst") and p.stat().st_size < 30_000]
    for _ in range(400):
        tried({"xgboost": xgboost, "lightgbm": lightgbm}[library], mutant(rng.choice(files), rng), tmp_path / "mutant")
