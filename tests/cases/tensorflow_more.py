"""More cases of TensorFlow's operators: random numbers from a seed, quantized integers, decompositions, suppression."""
from __future__ import annotations

import numpy as np

from .tensorflow_case import add, given

R = np.random.default_rng(8)
F, D, H, I, L = (np.dtype(t) for t in ("f4", "f8", "f2", "i4", "i8"))


def f(*shape: int, scale: float = 1.0, dtype: object = F) -> np.ndarray:
    return (R.standard_normal(shape) * scale).astype(dtype)  # type: ignore[call-overload]


def i(*values: int, dtype: object = I) -> np.ndarray:
    return np.array(values, dtype)  # type: ignore[call-overload]


# random numbers from a seed, drawn at run time
KEYED = (np.array([0x123456789ABCDEF0], "u8"), np.array([2**64 - 3, 7], "u8"), np.array(1, "i4"))
for op in "Uniform Normal".split():
    for dtype in (F, D, H):
        add(f"StatelessRandom{op}/{dtype}", given(i(3, 5)), given(i(12, -7)), dtype=dtype)
    add(f"StatelessRandom{op}V2", given(i(3, 7)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2])
add("StatelessRandomUniform/int64", given(i(3, 5)), given(i(2**40 + 3, -(2**50) + 1, dtype=L)))
add("StatelessRandomUniformInt", given(i(3, 5)), given(i(12, -7)), i(-5)[0], i(100)[0])
add("StatelessRandomUniformIntV2", given(i(4)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2], given(i(-5)[0]), given(i(7)[0]))
for dtype in ("i4", "i8", "u4", "u8"):
    add(f"StatelessRandomUniformFullInt/{dtype}", given(i(3, 3)), given(i(12, -7)), dtype=dtype)
    add(f"StatelessRandomUniformFullIntV2/{dtype}", given(i(3, 3)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2], dtype=dtype)
for dtype in (F, D):
    add(f"StatelessTruncatedNormal/{dtype}", given(i(3, 25)), i(12, -7), dtype=dtype)
add("StatelessTruncatedNormalV2", given(i(3, 25)), *KEYED)
add("StatelessRandomGetKeyCounter", given(i(12, -7)))
