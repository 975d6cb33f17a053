"""A model in every format, proven and timed: resumed, out of time, where formats can't hold it; the command line."""
from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import modelport
from modelport import api, bench
from modelport.bench import Measurement
from modelport.cli.main import main
from modelport.errors import UsageError

EXAMPLES = Path(__file__).parents[2] / "examples" / "digits"
QUICK = bench.How(seconds=0.15, batches=(1,))
SHORT = ["--seconds", "0.15", "--batch", "1"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, Path]:
    folder = tmp_path_factory.mktemp("c") / "out"
    return api.compare(EXAMPLES / "digits.tflite", folder, variants=("onnx", "tflite-float16", "xgboost"), how=QUICK,
                       command="modelport compare digits.tflite"), folder


def test_each_format_is_proven_and_timed(compared: tuple[Measurement, Path]) -> None:
    found, folder = compared
    made = {r.file: r for r in found.rows if r.status == "measured"}
    assert set(made) == {"digits.tflite", "digits.onnx", "digits.float16.tflite"}
    assert made["digits.tflite"].agreement is None and made["digits.tflite"].command == "the model as it is"
    for name, level in (("digits.onnx", "L2"), ("digits.float16.tflite", "L2")):
        a = made[name].agreement
        assert a is not None and (a.verdict, a.level) == ("pass", level) and a.labels[0] == a.labels[1] > 0
        assert (folder / name).is_file() and made[name].bytes == (folder / name).stat().st_size
        assert f"digits.tflite {name}" in made[name].command
    assert made["digits.float16.tflite"].precision == "float16 weights"
    assert (made["digits.onnx"].agreement.error or 0) < 1e-5  # type: ignore[union-attr]
    assert made["digits.onnx"].deploys["mcu"] == (False, "ONNX Runtime needs an operating system")
    assert found.summary["parameters"] > 0 and found.model == "digits.tflite"
    other = next(r for r in found.rows if r.format == "xgboost")
    assert other.status == "unsupported" and other.reason


def test_the_commands_make_the_files(compared: tuple[Measurement, Path], tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    found, folder = compared
    monkeypatch.chdir(tmp_path)
    for file in ("digits.onnx", "digits.float16.tflite"):
        command = next(r.command for r in found.rows if r.file == file).split()
        assert main([*command[1:], "--no-verify"]) == 0
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_it_goes_on_where_it_stopped(compared: tuple[Measurement, Path], tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    shutil.copytree(compared[1], folder)
    calls: list[Any] = []
    convert = api.convert
    monkeypatch.setattr(api, "convert", lambda *a, **k: (calls.append(a), convert(*a, **k))[1])
    asked = ("onnx", "tflite-float16", "tflite-static")
    again = api.compare(EXAMPLES / "digits.tflite", folder, variants=asked, how=QUICK)
    assert [Path(a[1]).name for a in calls] == ["digits.static.tflite"]  # what is new
    before = {r.name: [x.median for x in r.latency] for r in compared[0].rows}
    old = [r for r in again.rows if r.latency and r.file != "digits.static.tflite"]
    assert old and all([x.median for x in r.latency] == before[r.name] for r in old)
    assert all(r.latency[0].of_fastest is None for r in again.rows if r.latency)  # they were not timed side by side
    assert any("earlier run" in n for n in again.notes)
    (folder / "digits.onnx").unlink()  # made again, as it is gone
    calls.clear()
    api.compare(EXAMPLES / "digits.tflite", folder, variants=("onnx",), how=QUICK)
    assert [Path(a[1]).name for a in calls] == ["digits.onnx"]


def test_what_an_earlier_run_is_good_for(compared: tuple[Measurement, Path], tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Other settings of the timing: timed again, not converted. Longer proofs: proven again. A file that somebody
    changed: made again, as the proof is not of that."""
    folder = tmp_path / "out"
    shutil.copytree(compared[1], folder)
    calls: list[Any] = []
    convert = api.convert
    monkeypatch.setattr(api, "convert", lambda *a, **k: (calls.append(Path(a[1]).name), convert(*a, **k))[1])

    def again(**more: Any) -> Measurement:
        calls.clear()
        return api.compare(EXAMPLES / "digits.tflite", folder, variants=("onnx",), **{"how": QUICK, **more})
    for how in (bench.How(seconds=0.2, batches=(1,)),
                bench.How(seconds=0.2, batches=(1,), sample={"image": np.zeros((1, 8, 8, 1), np.float32)})):
        found = again(how=how)
        assert not calls and not any("earlier run" in n for n in found.notes)
        assert any("earlier run" in n for n in again(how=how).notes)
    made = (folder / "digits.onnx").read_bytes()
    (folder / "digits.onnx").write_bytes(made[:-7])
    again()
    assert calls == ["digits.onnx"] and (folder / "digits.onnx").read_bytes() == made
    again(prove=True)
    assert calls == ["digits.onnx"]


def test_a_folder_of_an_interrupted_comparison_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*a: Any, **k: Any) -> None:
        (tmp_path / "out" / "half.tmp").write_text("")
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(api, "convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            api.compare(EXAMPLES / "digits.tflite", tmp_path / "out", variants=("onnx",), how=QUICK)
    assert api.compare(EXAMPLES / "digits.tflite", tmp_path / "out", variants=("onnx",), how=QUICK).measured


def test_shapes_are_those_of_files_with_fixed_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    types = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 3, "high", "wide"]) for n in "xy"]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", types[:1], types[1:]), ir_version=9,
                                opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    found = api.compare("m.onnx", variants=("tflite-static",), how=replace(QUICK, shapes={"x": (1, 3, 32, 48)}))
    rows = [r for r in found.rows if r.file == "m.static.tflite"]
    assert rows and all(r.latency and r.deploys["mcu"][0] for r in rows), [(r.reason, r.deploys) for r in rows]
    assert rows[0].command == "modelport convert m.onnx m.static.tflite --batch 1 --shape x=1,3,32,48"
    assert {s for r in found.measured for s in r.shapes.values()} == {"1x3x32x48"}


def test_a_model_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """"." is a model, too: its name is the folder's, and results are not put into it."""
    made = api.convert(EXAMPLES / "digits.tflite", tmp_path / "net.savedmodel", verify=None).path
    monkeypatch.chdir(made)
    with pytest.raises(UsageError, match="inside the model"):
        api.compare(".", variants=("onnx",), how=QUICK)
    found = api.compare(".", tmp_path / "out", variants=("onnx",), how=QUICK)
    assert {r.file for r in found.rows} == {"net.savedmodel", "net.onnx"} and found.model == "net.savedmodel"


def test_another_model_begins_anew(compared: tuple[Measurement, Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(compared[1], folder)
    found = api.compare(EXAMPLES / "digits_int8.tflite", folder, variants=("onnx",), how=QUICK)
    assert not any("earlier run" in n for n in found.notes)
    assert {r.precision for r in found.rows if r.latency} == {"int8"}


def test_a_budget_leaves_the_rest_and_says_so(tmp_path: Path) -> None:
    found = api.compare(EXAMPLES / "digits.tflite", tmp_path / "out", variants=("onnx", "tflite-float16"), how=QUICK,
                        budget=1e-3)
    assert {r.status for r in found.rows} == {"skipped"} and any("goes on with them" in n for n in found.notes)
    again = api.compare(EXAMPLES / "digits.tflite", tmp_path / "out", variants=("onnx",), how=QUICK)
    assert {r.status for r in again.rows} == {"measured", "missing"} or {r.status for r in again.rows} == {"measured"}


def test_a_model_that_few_formats_can_hold(tmp_path: Path) -> None:
    """Texts: ONNX only; every other format says why not, and nothing is left lying about."""
    nodes = [helper.make_node("StringConcat", ["a", "b"], ["y"])]
    types = [helper.make_tensor_value_info(n, TensorProto.STRING, ["n"]) for n in "aby"]
    model = helper.make_model(helper.make_graph(nodes, "g", types[:2], types[2:]), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 20)])
    onnx.save(model, tmp_path / "text.onnx")
    found = api.compare(tmp_path / "text.onnx", tmp_path / "out", how=bench.How(seconds=0.15, batches=(1,)),
                        variants=("tflite", "torch", "keras", "tfjs", "sklearn"))
    assert [r.file for r in found.rows if r.latency] == ["text.onnx"]
    assert all(r.reason for r in found.rows if r.status == "unsupported")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"state.json"}


def test_folders_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="no comparison made it"):
        api.compare(EXAMPLES / "digits.tflite", tmp_path / "out", how=QUICK)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is no folder"):
        api.compare(EXAMPLES / "digits.tflite", tmp_path / "file", how=QUICK)


class TestCommandLine:
    def test_bench_writes_reports_and_flags_what_became_slower(self, tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
        fast, slow = tmp_path / "fast" / "m.onnx", tmp_path / "slow" / "m.onnx"
        for path, n in ((fast, 2), (slow, 24)):
            path.parent.mkdir()
            weights = np.eye(64, dtype=np.float32)
            names = ["x", *(f"h{k}" for k in range(n))]
            nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in itertools.pairwise(names)]
            graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
                                      [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, [64, 64])],
                                      [helper.make_tensor("w", TensorProto.FLOAT, (64, 64), weights.ravel())])
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        report = str(tmp_path / "r.json")
        only = ["--runtime", "onnxruntime"]
        assert main(["bench", str(fast), *SHORT, *only, "--report", report, "--report", str(tmp_path / "r.html")]) == 0
        assert "m.onnx" in capsys.readouterr().out and (tmp_path / "r.html").stat().st_size > 3000
        same = ["bench", str(fast), *SHORT, *only, "--baseline", report, "--fail-if-slower", "100%"]
        assert main(same) == 0
        assert main(["bench", str(slow), *SHORT, *only, "--baseline", report, "--fail-if-slower", "10%"]) == 1
        assert "SLOWER" in capsys.readouterr().out

    def test_recommend_reads_a_report(self, compared: tuple[Measurement, Path], tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
        report = tmp_path / "r.json"
        report.write_text(compared[0].to_json())
        assert main(["recommend", str(report), "--for", "ios"]) == 0
        assert capsys.readouterr().out.startswith("for iOS: digits.")
        assert main(["recommend", str(report), "--for", "browser", "--max-size", "10"]) == 4
        assert "nothing that was measured fits browser" in capsys.readouterr().out
        assert main(["recommend", str(report), "--for", "mcu", "--json"]) == 4
        assert json.loads(capsys.readouterr().out)["ranked"] == []

    def test_recommend_measures_a_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = ["--out", str(tmp_path / "out"), "--only", "tflite-static,onnx"]
        assert main(["recommend", str(EXAMPLES / "digits.tflite"), "--for", "mcu", *out, *SHORT]) == 0
        said = capsys.readouterr().out
        assert said.startswith("for microcontroller: digits.static.tflite") and "--batch 1" in said
        assert "not digits.onnx: ONNX Runtime needs an operating system" in said

    def test_frameworks(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["frameworks"]) == 0
        assert "deploys on" in capsys.readouterr().out
        assert main(["frameworks", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == len(modelport.registry.FORMATS)

    @pytest.mark.parametrize(("options", "said"), [
        (["--seconds", "0"], "--seconds"), (["--threads", "0"], "--threads"), (["--batch", "1,x"], "--batch"),
        (["--batch", "0"], "--batch"), (["--report", "r.pdf"], "reports are"),
        (["--baseline", "none.json"], "cannot read"),
        (["--fail-if-slower", "10%"], "--baseline"), (["--runtime", "tf"], "no runtime 'tf'"),
        (["--seed", "-1"], "--seed"), (["--timeout", "nan"], "--timeout"), (["--signature", "no"], "no"),
        (["--inputs", "x"], "have no option inputs"),
        (["--shape", "x"], "--shape"), (["--sample", "none.npz"], "cannot read")])
    def test_wrong_options(self, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["bench", str(EXAMPLES / "digits.tflite"), *options]) == 2
        assert said in capsys.readouterr().err

    def test_reports_never_overwrite_a_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model = tmp_path / "model.json"
        model.write_text("{}")
        for verb in (["bench"], ["compare"], ["recommend", "--for", "ios"]):
            assert main([*verb, str(model), "--report", str(tmp_path / "." / "model.json")]) == 2
            assert "would overwrite a model" in capsys.readouterr().err
        assert model.read_text() == "{}"

    @pytest.mark.parametrize(("arguments", "code"), [
        (["compare", "none.onnx"], 2), (["compare", str(EXAMPLES / "train.py")], 3),
        (["compare", str(EXAMPLES / "digits.tflite"), "--budget", "soon"], 2),
        (["compare", str(EXAMPLES / "digits.tflite"), "--only", "coreml"], 2),
        (["recommend", str(EXAMPLES / "digits.tflite"), "--for", "ios", "--max-size", "big"], 2),
        (["recommend", "none.json", "--for", "ios"], 2), (["bench", "none.onnx"], 2)])
    def test_wrong_requests(self, arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                            capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(arguments) == code
        assert capsys.readouterr().err.startswith("error: ")
        assert not list(tmp_path.iterdir())
