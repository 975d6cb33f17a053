"""The command line: one verb a function of :mod:`modelport.api`."""
from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

EXIT_BROKEN_PIPE = 141


def version() -> str:
    from importlib.metadata import version
    return version("modelport")


def _read_options(p: argparse.ArgumentParser) -> None:
    """What a format may want to know of a file: see ``Format.read_options``."""
    p.add_argument("--signature", metavar="NAME", help="which signature of a TensorFlow or TensorFlow Lite model")
    p.add_argument("--tags", metavar="LIST", help="which graph of a SavedModel, by its tags with commas between")
    p.add_argument("--inputs", metavar="LIST", help="inputs of a frozen graph, names with commas between; "
                   "scikit-learn: element types, such as float32, or age:float64,city:string; "
                   "TorchScript, modules: element types and shapes, such as float32[batch,3,224,224], or sr=16000")
    p.add_argument("--outputs", metavar="LIST", help="outputs of a frozen graph, names with commas between; "
                   "scikit-learn: methods, such as predict,decision_function")
    p.add_argument("--module", metavar="FILE.py:CLASS",
                   help="PyTorch: the class that weights belong to; runs that file")
    p.add_argument("--split-at", metavar="STEP", help="scikit-learn: convert a pipeline up to this step, without it")
    p.add_argument("--weights", metavar="FILE", help="the weights that belong to a Keras architecture in JSON")
    p.add_argument("--state", choices=("reset", "explicit"),
                   help="variables of a model: reset before each run, or inputs and outputs")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        print(f"modelport {version()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line as argparse knows it."""
    main = argparse.ArgumentParser(
        prog="modelport", description="Trained models from any common format into any other, proven correct.",
        epilog="exit codes: 0 done, 1 not the same, 2 wrong request, 3 bad file, 4 unsupported, 5 missing package, "
               "6 a runtime failed, 7 nothing could be compared, 8 cannot write")
    main.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verbs = main.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        p = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        p.add_argument("--json", action="store_true", help="print JSON")
        p.add_argument("--debug", action="store_true", help="show the stack trace of an error")
        return p

    def reading(p: argparse.ArgumentParser) -> None:
        p.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER",
                       help="raise a limit of reading untrusted files (see docs/security.md)")

    convert = verb("convert", "convert a model and prove that the result computes the same")
    convert.add_argument("source", metavar="SRC")
    convert.add_argument("target", metavar="DST")
    convert.add_argument("--from", dest="format", metavar="FORMAT",
                         help="the source's format, if its content is not enough")
    convert.add_argument("--to", metavar="FORMAT", help="the target's format, if the suffix is not enough")
    convert.add_argument("--force", action="store_true", help="overwrite DST")
    _read_options(convert)
    convert.add_argument("--shape", action="append", default=[], metavar="INPUT=1,3,224,224",
                         help="new shape of an input; a word in place of a number stays dynamic")
    convert.add_argument("--batch", metavar="N|NAME", help="first dimension of every input: a number, or a name "
                                                          "that makes it dynamic")
    convert.add_argument("--layout", action="append", default=[], metavar="nhwc|NAME=nhwc",
                         help="order of axes of the result's images: nhwc or nchw, for all inputs or for an input or "
                              "output named (default: as in the source)")
    convert.add_argument("--float16", action="store_true", default=None,
                         help="TensorFlow Lite: store weights in half precision")
    convert.add_argument("--float32", action="store_true", default=None,
                         help="TensorFlow Lite, TensorFlow.js: compute doubles in float32")
    convert.add_argument("--trainable", action="store_true", default=None,
                         help="TensorFlow: weights as variables that can be trained on")
    convert.add_argument("--quantize", choices=("uint8", "uint16", "float16"), default=None,
                         help="TensorFlow.js: store large weights in fewer bits")
    convert.add_argument("--recurrent", choices=("exact", "fused"), default=None,
                         help="TensorFlow Lite: 'fused' recurrent operators, which keep their state between runs until "
                              "it is reset")
    convert.add_argument("--passes", default="default", metavar="LIST", help="'default', 'none', or names with commas")
    convert.add_argument("--opset", type=int, metavar="N", help="ONNX opset to write (13 to 28)")
    convert.add_argument("--external-data", action="store_true", default=None,
                         help="ONNX weights in a file of their own (always above 2 GB)")
    convert.add_argument("--zipmap", action="store_true", default=None,
                         help="ONNX: the probabilities of a classifier as maps from its classes, the old form")
    convert.add_argument("--fast", action="store_true", default=None,
                         help="ONNX: trees and what follows them as one operator in float32, as skl2onnx writes them; "
                              "rows that rounding decides otherwise are counted")
    convert.add_argument("--schema", metavar="X.Y", help="XGBoost: the version whose form of the file is written (1.6 "
                                                         "to 3.0)")
    convert.add_argument("--no-verify", action="store_true", help="do not compare source and result")
    convert.add_argument("--prove", action="store_true", help="the highest level of proof and the long input suite")
    convert.add_argument("--sample", metavar="FILE.npz", help="inputs of your own for the proof")
    convert.add_argument("--golden", nargs=2, metavar=("INPUTS.npz", "OUTPUTS.npz"),
                         help="inputs and the outputs that they must give")
    convert.add_argument("--report", metavar="FILE.json", help="write the proof's report")
    convert.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the proof's inputs")
    convert.add_argument("--strict", action="store_true", help="anything dropped or approximated is an error")
    reading(convert)

    rescue = verb("rescue", "say what wrote an old file and what stands in the way of opening it, and write it anew")
    rescue.add_argument("source", metavar="FILE")
    rescue.add_argument("target", metavar="DST", nargs="?",
                        help="the modern form (default: FILE as .onnx, old files of XGBoost as .ubj)")
    rescue.add_argument("--force", action="store_true", help="overwrite DST")
    rescue.add_argument("--prove", action="store_true", help="prove it with the library itself, where it is installed")
    reading(rescue)

    inspect = verb("inspect", "say what a model file holds")
    inspect.add_argument("source", metavar="FILE")
    inspect.add_argument("--for", dest="target", metavar="FORMAT", help="say which layers that format can't take")
    inspect.add_argument("--opset", type=int, metavar="N", help="with --for onnx: the opset to write")
    _read_options(inspect)
    inspect.add_argument("--graph", action="store_true", help="print every node, as the file has it")
    inspect.add_argument("--hub", action="store_true", help="with --graph: every node in ONNX's terms")
    reading(inspect)

    verify = verb("verify", "feed two model files the same inputs and compare")
    verify.add_argument("source", metavar="A", nargs="?")
    verify.add_argument("target", metavar="B", nargs="?")
    verify.add_argument("--rerun", metavar="REPORT.json", help="repeat a recorded proof and compare the verdict")
    verify.add_argument("--prove", action="store_true", help="the highest level of proof and the long input suite")
    verify.add_argument("--sample", metavar="FILE.npz", help="inputs of your own")
    verify.add_argument("--golden", nargs=2, metavar=("INPUTS.npz", "OUTPUTS.npz"),
                        help="inputs and the outputs that they must give")
    verify.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the inputs")
    verify.add_argument("--report", metavar="FILE.json", help="write the report")
    verify.add_argument("--bisect", metavar="FOLDER", help="if they differ: find the first layer that does and write "
                                                           "a minimal repro there")
    reading(verify)

    diff = verb("diff", "say how two models differ as graphs")
    diff.add_argument("source", metavar="A")
    diff.add_argument("target", metavar="B")
    reading(diff)

    def measuring(p: argparse.ArgumentParser) -> None:
        p.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each runtime (default: 1)")
        p.add_argument("--seconds", type=float, default=3.0, metavar="S", help="how long each runtime is timed, "
                       "beside its starts (default: 3)")
        p.add_argument("--batch", default="1,8", metavar="LIST", help="rows of a run, where the model leaves them "
                       "free: the first for the latency, the others for the throughput (default: 1,8)")
        p.add_argument("--shape", action="append", default=[], metavar="INPUT=1,3,224,224", help="shape of an input "
                       "whose size is free (default: images of 224, lengths of 128)")
        p.add_argument("--sample", metavar="FILE.npz", help="inputs of your own")
        p.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the inputs")
        p.add_argument("--timeout", type=float, default=300.0, metavar="S", help="longest wait for one answer of a "
                       "runtime (default: 300)")
        p.add_argument("--report", action="append", default=[], metavar="FILE", help="write the report too: .html, "
                       ".md, .json, .csv, or .xml for JUnit; may be repeated")
        reading(p)

    def judging(p: argparse.ArgumentParser) -> None:
        p.add_argument("--baseline", metavar="REPORT.json", help="compare with an earlier report")
        p.add_argument("--fail-if-slower", metavar="10%", help="with --baseline: exit code 1 if a line is slower by "
                       "more than this and the noise")

    def comparing(p: argparse.ArgumentParser) -> None:
        p.add_argument("--out", metavar="FOLDER", help="where the files go (default: MODEL-compare); the same folder "
                       "again goes on where it stopped")
        p.add_argument("--only", metavar="LIST", help="these formats only, with commas between: onnx,tflite-float16")
        p.add_argument("--prove", action="store_true", help="the highest level of proof and the long input suite")
        p.add_argument("--budget", metavar="60s", help="begin nothing new after so many seconds (s), minutes (m)")

    bench = verb("bench", "time model files in every runtime that reads them")
    bench.add_argument("files", metavar="FILE", nargs="+")
    bench.add_argument("--runtime", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    bench.add_argument("--device", default="", metavar="NAME", help="only runtimes of this device: cpu, cuda, ...")
    _read_options(bench)
    measuring(bench)
    judging(bench)

    compare = verb("compare", "write a model in every format that can hold it, prove and time each")
    compare.add_argument("source", metavar="MODEL")
    comparing(compare)
    _read_options(compare)
    measuring(compare)
    judging(compare)

    recommend = verb("recommend", "say which form of a model to take for a target, and why")
    recommend.add_argument("source", metavar="MODEL", help="a model, or the .json report of a comparison")
    recommend.add_argument("--for", dest="target", required=True, metavar="TARGET",
                           choices=("cloud", "ios", "android", "edge", "jetson", "browser", "mcu"),
                           help="cloud, ios, android, edge, jetson, browser or mcu (microcontroller)")
    recommend.add_argument("--max-latency", metavar="10ms", help="for targets that are measured here")
    recommend.add_argument("--max-size", metavar="5MB", help="of the file")
    recommend.add_argument("--max-memory", metavar="200MB", help="for targets that are measured here")
    recommend.add_argument("--min-agreement", metavar="99%", help="least share of rows with the source's label")
    comparing(recommend)
    _read_options(recommend)
    measuring(recommend)

    verb("frameworks", "list every framework: what is read and written, what is installed, where it deploys, what it "
         "is good for")
    verb("formats", "list the formats and what is supported of each")

    completion = verbs.add_parser("completion", help="print a completion script for a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(json=False, debug=False)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code (see :mod:`modelport.errors`)."""
    options = parser().parse_args(arguments)
    if options.verb is None:
        parser().print_help()
        return 2
    from ..codecs.atomic import WriteFailed
    from ..errors import ModelportError, printable
    gc.set_threshold(100_000, 50, 50)  # graphs are a few objects a node, all alive: collecting often finds nothing
    try:
        from . import verbs
        code = int(getattr(verbs, options.verb)(options))
        sys.stdout.flush()  # what is written at exit can't be reported
        return code
    except ModelportError as e:
        if options.debug:
            raise
        if options.json:
            print(json.dumps({"error": type(e).__name__, "message": str(e), "hint": e.hint}, sort_keys=True))
        print(f"error: {e}", file=sys.stderr)
        if e.hint:
            print(f"hint: {e.hint}", file=sys.stderr)
        return e.exit_code
    except BrokenPipeError:
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as e:
        if options.debug:
            raise
        where = f"{printable(e.filename)}: " if e.filename is not None else ""
        print(f"error: {where}{e.strerror or e}", file=sys.stderr)
        _discard_output()
        return WriteFailed.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _discard_output() -> None:
    """Sends what is still to be printed nowhere, so that Python does not complain of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """Names the stage at hand on a terminal, once a command has taken a second; silent elsewhere."""

    def __init__(self, after: float = 1.0) -> None:
        self._stage, self._shown, self._done = "", False, False
        self._timer = threading.Timer(after, self._late)
        self._timer.daemon = True
        if sys.stderr.isatty():
            self._timer.start()

    def __call__(self, stage: str) -> None:
        self._stage = stage
        if self._shown:
            self._print()

    def _late(self) -> None:
        if not self._done:
            self._shown = True
            self._print()

    def _print(self) -> None:
        print(f"\r\x1b[K{self._stage} ...", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Takes the line away."""
        self._done = True
        self._timer.cancel()
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
