"""The comparison with every framework that is installed, and its page in a real browser."""
from __future__ import annotations

import html
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelport import api, bench
from modelport.bench import Measurement, files
from modelport.runtimes import start

EXAMPLES = Path(__file__).parents[2] / "examples" / "digits"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
CORPUS_MODELS = ("keras_h5/**/vww_96.h5", "onnx/**/silero_vad_16k_op15.onnx",
                 "xgboost/**/gbtree/v47/binary-logistic.model")
"""A network of images, a recurrent one, trees."""
pytestmark = pytest.mark.oracle
HOW = bench.How(seconds=0.6, batches=(1,))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    pytest.importorskip("keras", reason="Keras is the oracle")
    return api.compare(EXAMPLES / "digits.keras", tmp_path_factory.mktemp("c") / "out", how=HOW, command="modelport "
                       "compare digits.keras", variants=("onnx", "tflite", "torch", "torchscript", "torch-source",
                                                         "executorch", "tensorflow", "tfjs"))


def test_every_format_is_proven_against_keras_and_timed(compared: Measurement) -> None:
    pytest.importorskip("torch", reason="PyTorch is the oracle")
    rows = {r.runtime: r for r in compared.rows if r.latency}
    assert {"keras", "onnxruntime", "tflite", "torch", "torchscript", "tensorflow"} <= set(rows), \
        [(r.runtime, r.reason) for r in compared.rows if not r.latency]
    for r in rows.values():
        if r.runtime != "keras":
            assert r.agreement is not None and (r.agreement.verdict, r.agreement.level) == ("pass", "L3"), r.name
            assert r.agreement.labels[0] == r.agreement.labels[1] > 0
    assert not [r for r in compared.rows if r.status == "failed"], [r.reason for r in compared.rows]


@pytest.fixture
def one_processor() -> Iterator[None]:
    """This process and its children on one processor.  TensorFlow hands each operator of a run to another thread: on
    the same processor that takes 0.21 ms for the example, on another one 0.34 ms, and the system places the two
    threads as it likes, at times for the whole life of a process (measured here)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.parametrize("runtime", ["torch", "tensorflow", "keras"])
@pytest.mark.usefixtures("one_processor")
def test_figures_of_frameworks_agree_with_another_clock(runtime: str, compared: Measurement, tmp_path: Path) -> None:
    """The same artefact, timed by a program that knows only the framework, which is started before the measurement and
    twice after it: within the noises of both, in one of three tries (another program may take the machine)."""
    program = {"torch": """
import torch
call = torch.export.load(PATH).module()
x = torch.zeros(1, 8, 8, 1)
torch.set_num_threads(1)
def run():
    with torch.no_grad():
        return call(x)
""", "tensorflow": """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
model = tf.saved_model.load(PATH)
f = model.signatures["serving_default"]
x = {k: tf.zeros([1, 8, 8, 1]) for k in f.structured_input_signature[1]}
def run():
    return f(**x)
""", "keras": """
import numpy, keras, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
model = keras.saving.load_model(PATH, compile=False)
x = numpy.zeros((1, 8, 8, 1), "float32")
def run():
    return model.predict_on_batch(x)
"""}[runtime]
    path = EXAMPLES / "digits.keras"
    if runtime != "keras":
        suffix = {"torch": ".pt2", "tensorflow": ".savedmodel"}[runtime]
        path = api.convert(path, tmp_path / f"m{suffix}", verify=None).path
    clock = """
import statistics, time
rounds = []
for _ in range(10):
    time.sleep(0.05)
    taken = []
    for _ in range(100):
        before = time.perf_counter()
        run()
        taken.append(time.perf_counter() - before)
    rounds.append(statistics.median(taken) * 1e3)
print("@", *rounds[1:])
"""

    def clocked() -> list[float]:
        # with the kernels that TensorFlow has by default, whatever another test has told this process
        env = {**os.environ, "OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
        said = subprocess.run([sys.executable, "-c", program.replace("PATH", repr(str(path))) + clock],
                              capture_output=True, text=True, env=env).stdout
        return [float(v) for v in said.rpartition("@")[2].split()]
    seen = []
    for _ in range(3):
        rounds = clocked()
        found = bench.bench([path], runtimes=[runtime], how=bench.How(seconds=1.5, batches=(1,))).rows[0]
        assert found.latency, found.reason
        one = found.latency[0]
        rounds = sorted(rounds + clocked() + clocked())[1:-1]
        theirs, noise = float(np.median(rounds)), (rounds[-1] - rounds[0]) / 2
        seen.append((one.median, one.noise, theirs, noise / theirs))
        if abs(one.median - theirs) <= one.noise * one.median + max(noise, 0.02 * theirs):
            return
    raise AssertionError(seen)


def test_fitted_objects_use_the_threads_that_are_asked_for(tmp_path: Path) -> None:
    """A forest that was trained on all cores would predict on all of them."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is the oracle")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x = np.random.default_rng(0).normal(size=(200, 5))
    forest = ensemble.RandomForestClassifier(20, n_jobs=7, random_state=0)
    made = make_pipeline(StandardScaler(), ensemble.VotingClassifier([("a", forest)], n_jobs=5, voting="soft"))
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(made.fit(x, x[:, 0] > 0)))
    with start("sklearn", tmp_path / "m.pkl", threads=2) as session:
        voting = session._model[-1]  # type: ignore[attr-defined]
        assert voting.n_jobs == voting.estimators_[0].n_jobs == 2
        feeds = {k: x.astype(t.dtype) for k, t in session.inputs.items()}
        assert len(session.run(feeds)["label"]) == 200


def test_catboost_predicts_once_for_each_kind(tmp_path: Path) -> None:
    """Labels follow from the probabilities; a program would not ask for them again."""
    catboost = pytest.importorskip("catboost", reason="CatBoost is the oracle")
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    fitted = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False).fit(x, x[:, 0] > 0)
    fitted.save_model(str(tmp_path / "m.cbm"))
    with start("catboost", tmp_path / "m.cbm") as session:
        feeds = {next(iter(session.inputs)): x}
        (made,) = session.prepared(feeds)()  # type: ignore[misc]
        assert set(session.outputs) == {"label", "probabilities"}
        assert np.allclose(made, session.run(feeds)["probabilities"])


def test_openvino_takes_scalars(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is the oracle")
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(n, 1, []) for n in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8),
              tmp_path / "m.onnx")
    (row,) = bench.bench([tmp_path / "m.onnx"], runtimes=["openvino"], how=bench.How(seconds=0.1)).rows
    assert row.latency, row.reason


@pytest.fixture(scope="module")
def chromium() -> str:
    found = os.environ.get("MODELPORT_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium is here")
    return found


def browse(chromium: str, *arguments: str) -> str:
    """What the browser prints, without a network of its own."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                               "--disable-quic", "--disable-background-networking", "--disable-component-update",
                               "--disable-sync",
                               f"--user-data-dir={profile}", "--window-size=1280,3600", *arguments],
                              capture_output=True, text=True, timeout=120).stdout


def test_the_page_in_a_browser(compared: Measurement, chromium: str, tmp_path: Path) -> None:
    """A screenshot shows the table and the plots: the colours of the points are where the page says that they are; a
    click on a column's head sorts."""
    from PIL import Image
    page = tmp_path / "report.html"
    files.write(page, compared)
    browse(chromium, f"--screenshot={tmp_path / 'page.png'}", page.as_uri())
    with Image.open(tmp_path / "page.png") as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    assert pixels.shape[1] == 1280 and pixels.std() > 5
    blue = (abs(pixels - np.array([0x2f, 0x6f, 0xb0])).sum(-1) < 12).sum()  # points and bars of exact rows
    grey = (abs(pixels - np.array([0x8b, 0x92, 0x9a])).sum(-1) < 12).sum()  # of the source
    assert blue > 2000 and grey > 300, (blue, grey)

    probe = """<script>
      const seen = {}, table = document.querySelector("table.sort"), first = () => [...table.tBodies[0].rows].map(
        (r) => r.cells[0].dataset.v);
      seen.rows = table.tBodies[0].rows.length;
      seen.plots = [...document.querySelectorAll("svg")].map((s) => {
        const b = s.getBoundingClientRect(); return [Math.round(b.width), Math.round(b.height)]; });
      seen.points = document.querySelectorAll("svg")[0].querySelectorAll("circle").length;
      const before = first();
      const head = [...table.tHead.rows[0].cells].find((c) => c.textContent === "size");
      head.querySelector("button").click();
      const sizes = [...table.tBodies[0].rows].map((r) => +r.cells[head.cellIndex].dataset.v);
      seen.sorted = sizes.every((v, k) => !k || sizes[k - 1] <= v);
      seen.mark = head.getAttribute("aria-sort");
      head.querySelector("button").click();
      seen.turned = +table.tBodies[0].rows[0].cells[head.cellIndex].dataset.v === Math.max(...sizes);
      document.title = JSON.stringify(seen);
    </script>"""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text("utf-8").replace("</body>", probe + "</body>"), "utf-8")
    dom = browse(chromium, "--dump-dom", probed.as_uri())
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title is not None, dom[:500]
    seen = json.loads(html.unescape(title[1]))
    count = len(compared.measured)
    assert seen["rows"] == seen["points"] == count and seen["sorted"] and seen["turned"]
    assert seen["mark"] == "ascending" and len(seen["plots"]) == 3
    assert all(w > 600 and h > 100 for w, h in seen["plots"])


@pytest.mark.parametrize("pattern", CORPUS_MODELS)
def test_models_of_the_corpus(pattern: str, tmp_path: Path) -> None:
    """End to end on models that nobody here made."""
    found = sorted(CORPUS.glob(pattern)) if CORPUS.is_dir() else []
    if not found:
        pytest.skip("the corpus has no such model here")
    made = api.compare(found[0], tmp_path / "out", how=bench.How(seconds=0.5, batches=(1,)),
                       variants=("onnx", "tflite", "torch"))
    assert made.measured, [(r.file, r.reason) for r in made.rows]
    converted = [r for r in made.rows if r.latency and r.agreement is not None]
    assert converted and all(r.agreement.verdict == "pass" for r in converted if r.agreement is not None)
