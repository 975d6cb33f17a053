"""Constant data: made when it is needed, written a piece at a time."""
from __future__ import annotations

import io

import numpy as np
import pytest

from modelport.ir.tensor import Tensor, contiguous
from modelport.ir.types import Type

BIG = np.arange(300 * 517, dtype=np.float32).reshape(300, 517)


@pytest.mark.parametrize("array", [
    BIG, BIG.T, BIG.T[:, :, None, None], BIG.T[None], BIG[::-1].T, BIG.T[::2, ::-3], BIG.reshape(30, 10, 517).T,
    BIG.T[:0], BIG.T[:1], BIG[:, :1].T, np.array(3), np.arange(5)[::-1], BIG.T.astype(">f4"),
    np.broadcast_to(1, (9, 7))])
def test_contiguous_is_the_same_array(array: np.ndarray) -> None:
    made = contiguous(array)
    assert made.flags.c_contiguous and made.dtype == array.dtype
    np.testing.assert_array_equal(made.reshape(array.shape), array)


def test_what_is_written_is_not_kept() -> None:
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return BIG.T
    t = Tensor(make, Type(BIG.dtype, BIG.T.shape))
    for _ in range(2):
        out = io.BytesIO()
        t.copy_to(out)
        assert out.getvalue() == BIG.T.tobytes()
    assert len(made) == 2
    assert t.fresh() is not None and t.numpy() is t.numpy() and t.fresh() is t.numpy()
    assert len(made) == 4
