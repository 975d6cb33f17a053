"""Files broken by chance, the same ones for the same seed."""
from __future__ import annotations

import random


def mutant(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, removed, or written twice."""
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
