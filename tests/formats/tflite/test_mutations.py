"""Mutants of real files: nothing but typed errors, in bounded memory."""
from __future__ import annotations

import contextlib
import random
import resource
import struct
from pathlib import Path

import pytest

from modelport.errors import ModelportError
from modelport.formats import tflite

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
SMALL = [p for p in sorted(CORPUS.rglob("*.tflite")) if p.stat().st_size < 700_000]


def mutant(data: bytes, rng: random.Random) -> bytes:
    """The file cut off, with bits flipped, words replaced, or bytes near its ends, where the structure is, changed."""
    b = bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(b[:rng.randrange(len(b))])
    for _ in range(rng.randint(1, 8)):
        if kind == 1:
            b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            word = rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, rng.randrange(1 << 32), rng.randrange(64)])
            struct.pack_into("<I", b, rng.randrange(0, len(b) - 4) & ~3, word)
        else:
            near = rng.choice([rng.randrange(min(len(b), 2000)), len(b) - 1 - rng.randrange(min(len(b), 30000))])
            b[near] = rng.randrange(256)
    return bytes(b)


@pytest.mark.slow
def test_mutants_of_real_files(tmp_path: Path) -> None:
    if not SMALL:
        pytest.skip("no corpus beside the checkout")
    rng = random.Random(2026)
    path = tmp_path / "mutant.tflite"
    files = [p.read_bytes() for p in SMALL]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    good = 0
    for _ in range(2000):
        path.write_bytes(mutant(rng.choice(files), rng))
        with contextlib.suppress(ModelportError):
            raw = tflite.read(path)
            str(raw)
            tflite.to_hub(raw)
            good += 1
    assert 200 < good < 1800  # both kinds occur
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < (200 << 10) + 4 * 700
