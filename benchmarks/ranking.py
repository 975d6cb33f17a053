"""Checks the ranking that people repeat, TensorRT, then TFLite, then ONNX Runtime, then native, on the example models.

``python benchmarks/ranking.py [--seconds S] [--page]`` converts each model, times it in its own framework and in the
others, with one thread and with all cores, for one row and for many, and prints a table; ``--page`` writes it into
docs/ranking.md.  Models of the corpus are left out where it is not beside the checkout, frameworks that are not
installed are left out too.  TensorRT needs a graphics card of NVIDIA; where there is none its column is empty."""
from __future__ import annotations

import argparse
import itertools
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelport import api, bench
from modelport.bench.machine import cores
from modelport.bench.report import Latency, Measurement, Row
from modelport.bench.text import milliseconds, setting

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
PAGE = ROOT / "docs" / "ranking.md"
TINY = CORPUS / "keras_h5/mlcommons__tiny/benchmark/training"
MODELS = (
    ("digits, a small CNN (the example)", ROOT / "examples/digits/digits.keras", ""),
    ("digits, as a program of PyTorch", ROOT / "examples/digits/digits.keras", ".pt2"),
    ("visual wake words, MobileNet 0.25", TINY / "visual_wake_words/trained_models/vww_96.h5", ""),
    ("CIFAR-10, ResNet-8", TINY / "image_classification/trained_models/pretrainedResnet.h5", ""),
    ("CIFAR-10, ResNet-8 in PyTorch", TINY / "image_classification/trained_models/pretrainedResnet.h5", ".pt2"),
    ("anomalies, an autoencoder", TINY / "anomaly_detection/trained_models/ad01.h5", ""),
    ("mushrooms, trees of XGBoost", CORPUS / "xgboost/komiya-atsushi__xgboost-predictor-java/xgboost/model/gbtree/v47/"
                                             "binary-logistic.model", ".ubj"),
)
"""A name, a file, and the suffix of what its framework opens, where that is another file."""
ORDER = ("TensorRT", "TFLite", "ONNX Runtime", "native")
"""The claim, the fastest first."""
RUNTIMES = {"onnxruntime-tensorrt": "TensorRT", "tflite": "TFLite", "onnxruntime": "ONNX Runtime"}
NATIVE = ("keras", "tensorflow", "torch", "torchscript", "sklearn", "xgboost", "lightgbm", "catboost")


@dataclass(frozen=True)
class Line:
    """One model with so many threads and rows, and the latency in each place of the claim."""

    model: str
    threads: int
    rows: int
    found: dict[str, Latency]

    def verdict(self) -> str:
        """Whether the order of the claim is that of the figures, as far as the noise lets it be told."""
        order = [n for n in ORDER if n in self.found]
        wrong, even = [], []
        for a, b in itertools.pairwise(order):
            x, y = self.found[a], self.found[b]
            ratio = y.median / x.median
            if ratio < 1 - x.noise - y.noise:
                wrong.append(f"{b} is {1 / ratio:.1f} times as fast as {a}")
            elif ratio <= 1 + x.noise + y.noise:
                even.append(f"{a} and {b} are even")
        return f"no: {'; '.join(wrong)}" if wrong else f"not against it: {'; '.join(even)}" if even else "yes"


def measured(name: str, path: Path, native: str, threads: int, seconds: float,
             folder: Path) -> tuple[list[Line], Measurement]:
    """A line for each batch size."""
    how = bench.How(threads=threads, seconds=seconds, batches=(1, 32))
    files = [] if native else [path]
    for suffix in (native, ".onnx", ".tflite"):
        made = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}{suffix}"
        if suffix:
            files.append(made if made.exists() else api.convert(path, made).path)
    found = bench.bench(files, runtimes=[*RUNTIMES, *NATIVE], how=how)
    batches = sorted({x.rows for r in found.measured for x in r.latency})
    return [Line(name, threads, b, places(found.rows, b)) for b in batches], found


def places(rows: tuple[Row, ...], batch: int) -> dict[str, Latency]:
    """The latency in each place of the claim."""
    return {RUNTIMES.get(r.runtime, "native"): x for r in rows for x in r.latency if x.rows == batch}


def table(lines: list[Line]) -> str:
    out = ["| model | threads | rows | " + " | ".join(ORDER) + " | TFLite before ONNX Runtime before native? |",
           "|---|---|---|" + "---:|" * len(ORDER) + "---|"]
    for line in lines:
        cells = [f"{milliseconds(line.found[n].median)} ±{line.found[n].noise:.0%}" if n in line.found else "-"
                 for n in ORDER]
        out.append(f"| {line.model} | {line.threads} | {line.rows} | {' | '.join(cells)} | {line.verdict()} |")
    held = sum(line.verdict() == "yes" for line in lines)
    told = sum(line.verdict().startswith("no:") for line in lines)
    out += ["", (f"Of {len(lines)} lines the ranking holds in {held}, is contradicted in {told}, and can't be told "
                 f"from the noise in {len(lines) - held - told}.")]
    return "\n".join(out)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--page", action="store_true")
    given = options.parse_args()
    lines: list[Line] = []
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path, native in MODELS:
            if not path.exists():
                print(f"{name}: not here", flush=True)
                continue
            for threads in sorted({1, cores()}):
                new, found = measured(name, path, native, threads, given.seconds, Path(folder))
                lines += new
                said = setting(found)
                print(table(new), flush=True)
    text = f"{table(lines)}\n\n{said[0] if said else ''}"
    print(text)
    if given.page:
        page = PAGE.read_text("utf-8")
        start, end = page.index("<!-- figures -->"), page.index("<!-- end -->")
        PAGE.write_text(f"{page[:start]}<!-- figures -->\n\n{text}\n\n{page[end:]}", "utf-8")


if __name__ == "__main__":
    main()
