"""ExecuTorch programs: real ones read, memory planned, broken ones refused."""
from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from modelport import api, registry
from modelport.errors import ModelportError, UnsupportedModel
from modelport.formats import executorch
from modelport.formats.executorch import writer
from modelport.formats.executorch.kernels import kernels
from modelport.ir.graph import Graph

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "executorch"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "digits" / "digits.tflite"


def lowered(batch: int = 1) -> Graph:
    """The example model in kernels."""
    graph = api.load(EXAMPLE).graph
    return executorch.from_hub(api.prepare(graph, registry.named("executorch"), batch=batch))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_programs_of_the_corpus() -> None:
    read, refused = [], []
    for path in sorted(CORPUS.rglob("*.pte")):
        try:
            graph = executorch.to_hub(executorch.read(path))
            read.append((path.parent.name, [v.type.shape for v in graph.inputs.values()]))
        except UnsupportedModel as e:
            refused.append((path.parent.name, e.problems[0].reason))
    assert [name for name, _ in read] == ["AddModel", "resources", "deprecated"]
    assert refused == [("KeywordSpotting", "the kernel cortex_m::quantize_per_tensor.out")]


def test_a_model_comes_back(tmp_path: Path) -> None:
    done = api.convert(EXAMPLE, tmp_path / "digits.pte", batch=1)
    assert done.report is not None
    assert done.report.verdict == "pass", done.report.text()
    again = api.convert(tmp_path / "digits.pte", tmp_path / "digits.onnx")
    assert again.report is not None
    assert again.report.verdict == "pass", again.report.text()


def test_tensors_that_live_together_do_not_overlap() -> None:
    raw = lowered()
    places, total = writer.planned(raw)
    nodes = list(raw.nodes)
    ends = {v: max([k for k, n in enumerate(nodes) if v in n.inputs] +
                   [len(nodes)] * (v in raw.outputs.values()), default=-1) for v in places}
    starts = {v: next((k for k, n in enumerate(nodes) if v in n.outputs), -1) for v in places}
    size = {v: int(v.type.size or 0) * v.dtype.itemsize for v in places}
    for a in places:
        for b in places:
            if a is not b and starts[a] <= max(ends[b], starts[b]) and starts[b] <= max(ends[a], starts[a]):
                assert places[a] + size[a] <= places[b] or places[b] + size[b] <= places[a]
    assert total < sum(size.values())  # memory is used again
    assert all(p % 16 == 0 for p in places.values())


def test_sizes_have_to_be_known(tmp_path: Path) -> None:
    source = tmp_path / "free.onnx"
    api.convert(EXAMPLE, source, batch="n", verify=None)
    with pytest.raises(UnsupportedModel, match="memory is planned") as e:
        api.convert(source, tmp_path / "x.pte")
    assert "--shape" in (e.value.hint or "")


def test_schemas_of_kernels_make_sense() -> None:
    table = kernels()
    assert len(table) > 190
    add = table["aten::add.out"]
    assert [n for n, _ in add.arguments] == ["self", "other", "alpha"]
    assert (add.positional, add.results) == (2, 1)
    assert table["aten::index.Tensor_out"].arguments[1] == ("indices", "Tensor?[]")
    assert table["aten::split_with_sizes_copy.out"].listed
    assert table["aten::native_layer_norm.out"].results == 3


def test_broken_files_end_typed(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    executorch.write(lowered(), path)
    data, rng = path.read_bytes(), random.Random(5)
    for k in range(400):
        broken = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(min(len(broken), 6000))] = rng.randrange(256)
        if k % 5 == 0:
            broken = broken[:rng.randrange(len(broken))]
        path.write_bytes(bytes(broken))
        try:
            with np.errstate(all="ignore"):
                executorch.to_hub(executorch.read(path))
        except ModelportError:
            pass
