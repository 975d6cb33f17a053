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
sys.path.insert(0, str(Path(__file__).parents[2] / "hostile"))
from broken_files import mutant
from tabular_cases import FAMILIES, recorded

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"


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
