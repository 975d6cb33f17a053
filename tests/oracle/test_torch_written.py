"""PyTorch is the oracle of what is written for it: programs load, run at any size, are traced anew and trained."""
from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

sys.path.insert(0, str(Path(__file__).parents[1] / "formats" / "torch"))
from torch_graphs import branch, image, rounding, sequence

import modelport
from modelport.formats.torch.signatures import SIGNATURES
from modelport.proof.inputs import Feed
from modelport.proof.layers import layer_by_layer
from modelport.proof.sides import Runners, side
from modelport.runtimes import isolated

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
MODELS = {"image": image, "sequence": sequence, "branch": branch}
DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def feeds(name: str, batch: int, length: int) -> dict[str, Any]:
    rng = np.random.default_rng(batch * 31 + length)
    if name == "image":
        return {"image": rng.normal(size=(batch, 3, 16, 16)).astype(np.float32)}
    if name == "sequence":
        return {"ids": rng.integers(0, 20, (batch, length))}
    return {"x": rng.normal(size=(batch, 3)).astype(np.float32), "turns": np.array(length)}


def tensors(given: dict[str, Any]) -> list[Any]:
    return [torch.from_numpy(np.asarray(v)) for v in given.values()]


def named(made: Any, names: list[str]) -> dict[str, Any]:
    return made if isinstance(made, dict) else {names[0]: made}


def near(got: dict[str, Any], want: dict[str, Any], atol: float = 1e-5) -> None:
    assert [*got] == [*want]
    for k, v in want.items():
        np.testing.assert_allclose(got[k].detach().numpy(), v, rtol=1e-4, atol=atol, err_msg=k)


def source(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("written_module", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()


@pytest.fixture(params=MODELS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Any, Path]:
    path = MODELS[request.param](tmp_path / "m.onnx")
    return request.param, modelport.load(path), path


@pytest.mark.parametrize("form", ["pt2", "py", "pt"])
def test_every_form_computes_the_same_at_any_size(made: tuple[str, Any, Path], form: str, tmp_path: Path) -> None:
    name, model, path = made
    target = tmp_path / f"m.{form}"
    done = modelport.convert(path, target, verify="prove")
    assert done.report is not None and done.report.level in ("L2", "L3"), done.report.text()
    run = torch.export.load(target).module() if form == "pt2" else source(target) if form == "py" else \
        torch.jit.load(target)
    for batch, length in ((1, 1), (2, 3), (5, 4)):
        given = feeds(name, batch, length)
        near(named(run(*tensors(given)), [*model.outputs]), model.run(given))


def test_deep_quantized_models_are_proven_layer_by_layer_as_source(tmp_path: Path) -> None:
    done = modelport.convert(rounding(tmp_path / "m.onnx"), tmp_path / "m.py", verify="prove")
    assert done.report is not None and done.report.ok
    seen = re.search(r"each of (\d+) layers, given the target's own inputs", done.report.text())
    assert seen is not None and int(seen[1]) > 50, done.report.text()


def test_a_wrong_layer_of_written_source_is_named(tmp_path: Path) -> None:
    """One weight of many is another one in the file than in the calls that it was written from."""
    path = rounding(tmp_path / "m.onnx")
    done = modelport.convert(path, tmp_path / "m.py", verify=None)
    from safetensors.torch import load_file, save_file
    weights = load_file(tmp_path / "m.safetensors")
    at = sorted(k for k, v in weights.items() if v.dim() == 4)[2]
    weights[at][0, 0] += 0.3
    save_file(weights, tmp_path / "m.safetensors")
    (tmp_path / "run").mkdir()
    runners = Runners(tmp_path / "run", framework=True)
    given = np.random.default_rng(0).normal(0, 2, (3, 4, 6, 6)).astype(np.float32)
    try:
        found = layer_by_layer(side(done.written()), runners, [Feed("one", "ordinary", {"x": given}, 3)])
    finally:
        runners.close()
    wrong = [x.layer for x in found.layers if not x.passed]
    assert len(found.layers) > 50 and len(wrong) == 1 and "conv" in wrong[0], (wrong, found.text("target"))


def test_programs_say_what_they_are(made: tuple[str, Any, Path], tmp_path: Path) -> None:
    """Every element type and size that a file states is the one that PyTorch finds when it traces it anew."""
    name, _, path = made
    modelport.convert(path, tmp_path / "m.pt2", verify=None)
    program = torch.export.load(tmp_path / "m.pt2")
    given = tensors(feeds(name, 2, 3))
    found: list[str] = []

    class Watch(torch.fx.Interpreter):  # type: ignore[misc,name-defined]
        def run_node(self, n: Any) -> Any:
            out = super().run_node(n)
            said = n.meta.get("val")
            if isinstance(out, torch.Tensor) and isinstance(said, torch.Tensor):
                assert out.dtype == said.dtype, n
                fixed = [(a, b) for a, b in zip(out.shape, said.shape, strict=True) if isinstance(b, int)]
                assert all(a == b for a, b in fixed), n
                found.append(n.name)
            return out
    Watch(program.module()).run(*given)
    assert found


@pytest.mark.parametrize("name", ["image", "sequence"])
def test_programs_are_traced_anew(name: str, tmp_path: Path) -> None:
    path = MODELS[name](tmp_path / "m.onnx")
    model = modelport.load(path)
    modelport.convert(path, tmp_path / "m.pt2", verify=None)
    program = torch.export.load(tmp_path / "m.pt2")
    sizes = {str(k) for k in program.range_constraints}
    assert sizes == ({"s_batch"} if name == "image" else {"s_batch", "s_steps"})
    given = feeds(name, 3, 2)
    core = program.run_decompositions()
    if name == "image":  # PyTorch takes its LSTM apart for one number of steps
        assert {str(k) for k in core.range_constraints} == sizes
    torch.export.save(program, tmp_path / "again.pt2")
    compiled = torch.compile(program.module(), backend="aot_eager", dynamic=True)
    for run in (core.module(), torch.export.load(tmp_path / "again.pt2").module(), compiled):
        near(named(run(*tensors(given)), [*model.outputs]), model.run(given))
    free = tuple(dict.fromkeys(range(v.dim()), torch.export.Dim.AUTO) for v in tensors(given))
    anew = torch.export.export(program.module(), tuple(tensors(given)), dynamic_shapes=free).module()
    for batch, steps in ((3, 2), (5, 4 if name == "image" else 2)):  # the steps of an LSTM PyTorch fixes here, too
        given = feeds(name, batch, steps)
        near(named(anew(*tensors(given)), [*model.outputs]), model.run(given))


@pytest.mark.parametrize("name", ["image", "sequence"])
def test_gradients_flow_through_written_source(name: str, tmp_path: Path) -> None:
    """A few steps of training lower a loss, and every parameter has a gradient."""
    path = MODELS[name](tmp_path / "m.onnx")
    modelport.convert(path, tmp_path / "m.py", verify=None)
    net = source(tmp_path / "m.py").train()
    given = tensors(feeds(name, 4, 5))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        out = net(*given)
        out = out if isinstance(out, torch.Tensor) else next(iter(out.values()))
        loss = ((out - 1) ** 2).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0], losses
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())


def test_written_programs_are_trained_too(tmp_path: Path) -> None:
    modelport.convert(image(tmp_path / "m.onnx"), tmp_path / "m.pt2", verify=None)
    net = torch.export.load(tmp_path / "m.pt2").module()
    net(*tensors(feeds("image", 2, 1))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_there_and_back(made: tuple[str, Any, Path], tmp_path: Path) -> None:
    """.pt2 -> ONNX -> .pt2 and source: equal outputs, the same names."""
    name, model, path = made
    modelport.convert(path, tmp_path / "a.pt2", verify=None)
    modelport.convert(tmp_path / "a.pt2", tmp_path / "b.onnx", verify=None)
    modelport.convert(tmp_path / "b.onnx", tmp_path / "c.pt2", verify=None)
    modelport.convert(tmp_path / "a.pt2", tmp_path / "d.py", verify=None)
    given = feeds(name, 2, 3)
    first, again = (named(torch.export.load(tmp_path / f"{k}.pt2").module()(*tensors(given)), [*model.outputs])
                    for k in "ac")
    near(again, {k: v.detach().numpy() for k, v in first.items()}, 1e-6)
    near(named(source(tmp_path / "d.py")(*tensors(given)), [*model.outputs]),
         {k: v.detach().numpy() for k, v in first.items()}, 1e-6)


@pytest.mark.parametrize("name", ["digits.keras", "digits.tflite", "digits_int8.tflite"])
@pytest.mark.parametrize("form", ["pt2", "py"])
def test_models_of_other_formats(name: str, form: str, tmp_path: Path) -> None:
    done = modelport.convert(DIGITS / name, tmp_path / f"m.{form}", verify="prove")
    assert done.report is not None and done.report.ok and "PyTorch" in done.report.text()


def test_trees_reach_pytorch(tmp_path: Path) -> None:
    """An ensemble of trees, which PyTorch has no operator for."""
    import onnx
    from onnx import TensorProto, helper
    trees = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, post_transform="NONE",
        nodes_treeids=[0] * 5, nodes_nodeids=[*range(5)], nodes_featureids=[0, 1, 0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"], nodes_values=[0.5, -0.25, 0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 3, 0, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0], target_treeids=[0] * 3,
        target_nodeids=[2, 3, 4], target_ids=[0] * 3, target_weights=[1.5, -2.0, 3.25])
    graph = helper.make_graph([trees], "trees", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid(
        "", 20)], ir_version=9), tmp_path / "m.onnx")
    for form in ("pt2", "py"):
        done = modelport.convert(tmp_path / "m.onnx", tmp_path / f"m.{form}", verify="prove")
        assert done.report is not None and done.report.ok and "PyTorch" in done.report.text()


def test_signatures_are_those_of_pytorch() -> None:
    """Names and order of arguments, and which are given by name only."""
    for key, said in SIGNATURES.items():
        name, _, overload = key.partition(".")
        schema = getattr(getattr(torch.ops.aten, name), overload or "default")._schema
        place = [a.name for a in schema.arguments if not a.kwarg_only]
        named_only = [a.name for a in schema.arguments if a.kwarg_only]
        assert said == " ".join(place) + (" | " + " ".join(named_only) if named_only else ""), key


def test_a_file_of_the_same_name_and_second_is_read_anew(tmp_path: Path) -> None:
    """Python keeps what it compiled, by a file's second and size."""
    source, target = tmp_path / "m.onnx", tmp_path / "m.py"
    x = np.array([[-1.0, 2.0]], np.float32)
    with isolated.Worker(environment={"PYTHONDONTWRITEBYTECODE": ""}) as worker:
        for kind, wanted in (("Relu", np.maximum(x, 0)), ("Tanh", np.tanh(x))):
            graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"])], "g",
                                      [helper.make_tensor_value_info("x", 1, [1, 2])],
                                      [helper.make_tensor_value_info("y", 1, [1, 2])])
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), source)
            modelport.convert(source, target, to="torch-source", verify=None, force=True)
            os.utime(target, (1e9, 1e9))
            session = worker.open("torch", target, inputs=["x:float32[1,2]"], outputs=["y"])
            assert np.allclose(session.run({"x": x})["y"], wanted)
