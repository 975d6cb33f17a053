"""Sizes that the conversion changed are part of what is proven."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelport import api
from modelport.formats import onnx
from modelport.hub.infer import op
from modelport.ir import Graph, Type, Value
from modelport.proof import verify
from modelport.proof.resized import change

F32 = np.dtype(np.float32)


def graph(batch: int | str, mixed: bool = False) -> Graph:
    """Rows times a matrix; ``mixed``: less the mean of all rows, so that rows depend on each other."""
    x = Value(Type(F32, (batch, 4)), "x")
    y = op.MatMul(x, np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))
    return Graph({"x": x}, {"y": op.Sub(y, op.ReduceMean(y, np.array([0]))) if mixed else op.Tanh(y)})


def saved(g: Graph, path: Path) -> Path:
    onnx.write(onnx.from_hub(g), path)
    return path


@pytest.mark.parametrize("batch", [3, "n"])
def test_a_source_of_one_row_proves_more_rows(batch: int | str, tmp_path: Path) -> None:
    one, more = saved(graph(1), tmp_path / "one.onnx"), saved(graph(batch), tmp_path / "more.onnx")
    report = verify(one, more)
    assert report.proven
    if batch == "n":  # a fixed batch counts as one
        assert max(f.rows for f in report.feeds) > 1
    assert "1 row a run" in report.text()


def test_rows_that_depend_on_each_other_are_found(tmp_path: Path) -> None:
    """One row less its mean is zero; several rows are not: such a model has no other batch."""
    one, more = saved(graph(1, True), tmp_path / "one.onnx"), saved(graph("n", True), tmp_path / "more.onnx")
    assert verify(one, more).verdict == "fail"


def test_other_sizes_are_compared_with_the_hub(tmp_path: Path) -> None:
    x = Value(Type(F32, (1, 3, 8, 8)), "x")
    w = np.random.default_rng(0).standard_normal((2, 3, 3, 3)).astype(np.float32)
    source = saved(Graph({"x": x}, {"y": op.Conv(x, w)}), tmp_path / "a.onnx")
    done = api.convert(source, tmp_path / "b.onnx", shapes={"x": (1, 3, 12, 9)})
    assert done.report is not None
    assert (done.report.verdict, done.report.level) == ("pass", "L1")
    assert "sizes were changed" in done.report.text()
    assert verify(source, tmp_path / "b.onnx").verdict == "inconclusive"  # nothing says what it should compute


def test_kinds_of_change() -> None:
    def t(*shape: int | str) -> dict[str, Type]:
        return {"x": Type(F32, shape)}
    pairs = {"x": "x"}
    assert change(t("n", 4), t(2, 4), pairs) == ("", 0)
    assert change(t(1, 4), t(1, 4), pairs) == ("", 0)
    assert change(t(1, 4), t("n", 4), pairs) == ("batch", 1)
    assert change(t(2, 4), t(6, 4), pairs) == ("batch", 2)
    assert change(t(2, 4), t(3, 4), pairs) == ("other", 0)
    assert change(t(1, 4), t(1, 5), pairs) == ("other", 0)
    assert change(t(1, 4), t(1, "k"), pairs) == ("other", 0)
