"""The command line as a user meets it: output, exit codes, errors without stack traces."""
from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.cli.main import Progress, main, parser

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
SOURCE = str(DIGITS / "digits.tflite")

Run = tuple[int, str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Run:
        code = main(list(arguments))
        out = capsys.readouterr()
        return code, out.out, out.err
    return call


def test_convert_prints_the_proof(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("convert", SOURCE, "d.onnx", "--report", "r.json")
    assert code == 0
    assert out.splitlines()[1].startswith("proven (L2):")
    assert not err
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["signed"]["verdict"] == "pass"


def test_golden_outputs(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Outputs that the user vouches for prove at level L3; wrong ones fail."""
    model = modelport.load(SOURCE)
    with np.load(DIGITS / "samples.npz") as data:
        image = data["image"][:8]
    scores = model.run(image)["output_0"]
    np.savez(tmp_path / "in.npz", image=image)
    np.savez(tmp_path / "out.npz", output_0=scores)
    np.savez(tmp_path / "wrong.npz", output_0=scores[::-1])
    code, out, _ = run("convert", SOURCE, "d.onnx", "--golden", "in.npz", "out.npz")
    assert code == 0
    assert "proven (L3): 8 rows" in out
    assert run("verify", SOURCE, "d.onnx", "--golden", "in.npz", "wrong.npz")[0] == 1


def test_rerun_repeats_a_proof(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("convert", SOURCE, "d.onnx", "--report", "r.json")[0] == 0
    code, out, _ = run("verify", "--rerun", "r.json")
    assert code == 0
    assert out.startswith("same verdict\nproven (L2)")
    with open(tmp_path / "d.onnx", "ab") as f:
        f.write(b"x")
    code, out, err = run("verify", "--rerun", "r.json")
    assert code == 1
    assert "d.onnx is not the target of the report: its sha256 is another" in err


def test_an_existing_file_needs_force(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "d.onnx").write_text("mine")
    code, _, err = run("convert", SOURCE, "d.onnx")
    assert code == 2
    assert err == "error: d.onnx exists\nhint: --force overwrites it\n"
    assert (tmp_path / "d.onnx").read_text() == "mine"
    assert run("convert", SOURCE, "d.onnx", "--force", "--no-verify")[0] == 0


def test_the_source_is_never_written_to(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(SOURCE, tmp_path / "a.tflite")
    run("convert", "a.tflite", "a.onnx", "--no-verify")
    code, _, err = run("convert", "a.onnx", "./a.onnx", "--force")
    assert code == 2
    assert "the source itself" in err


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["convert", "nothing.onnx", "b.onnx"], 2, "there is no file nothing.onnx"),
    (["convert", SOURCE, "b.xyz"], 2, "names no format"),
    (["convert", SOURCE, "b.tflite", "--opset", "17"], 2, "TensorFlow Lite has no option opset"),
    (["convert", SOURCE, "no/such/folder/b.onnx"], 2, "there is no folder no/such/folder"),
    (["convert", SOURCE, "b.onnx", "--opset", "7"], 2, "opset 7 can't be written"),
    (["convert", SOURCE, "b.onnx", "--shape", "x=1,2"], 2, "no input 'x'"),
    (["convert", SOURCE, "b.onnx", "--shape", "image"], 2, "expected INPUT=1,3,224,224"),
    (["convert", SOURCE, "b.onnx", "--passes", "magic"], 2, "no pass 'magic'"),
    (["convert", SOURCE, "b.onnx", "--limit", "many=3"], 2, "expected NAME=NUMBER"),
    (["convert", SOURCE, "b.onnx", "--limit", "file_bytes=10"], 3, "--limit file_bytes="),
    (["convert", SOURCE, "b.onnx", "--signature", "other"], 2, "signature"),
    (["convert", SOURCE, "b.onnx", "--limit", "nodes=1_0__"], 2, "expected NAME=NUMBER"),
    (["convert", SOURCE, "b.onnx", "--batch", "-3"], 2, "the batch must be a positive number or a name"),
    (["convert", SOURCE, "b.onnx", "--batch", "0"], 2, "the batch must be a positive number or a name"),
    (["convert", SOURCE, "b.onnx", "--batch", "²"], 2, "neither a number nor a name"),
    (["convert", SOURCE, "b.onnx", "--seed", "-1"], 2, "the seed must not be negative"),
    (["verify", SOURCE, SOURCE, "--seed", "-1"], 2, "the seed must not be negative"),
    (["verify", SOURCE], 2, "two files"),
    (["inspect", "."], 3, "is a folder"),
    (["inspect", SOURCE, "--for", "gguf"], 2, "no format 'gguf'"),
])
def test_mistakes_are_explained(run, arguments: list[str], code: int, words: str) -> None:  # type: ignore[no-untyped-def]
    got, out, err = run(*arguments)
    assert got == code
    assert words in err
    assert err.startswith("error: ")
    assert "Traceback" not in err + out


def test_a_report_never_replaces_a_model(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(SOURCE, tmp_path / "m.tflite")
    before = (tmp_path / "m.tflite").read_bytes()
    (tmp_path / "link.json").symlink_to("m.tflite")
    for report in ("m.tflite", "./m.tflite", "d.onnx", "link.json"):
        code, _, err = run("convert", "m.tflite", "d.onnx", "--report", report)
        assert code == 2
        assert "would overwrite a model" in err
    assert run("verify", "m.tflite", "m.tflite", "--report", "m.tflite")[0] == 2
    assert (tmp_path / "m.tflite").read_bytes() == before
    assert not (tmp_path / "d.onnx").exists()


def test_a_report_that_cannot_be_written_is_said_first(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("convert", SOURCE, "d.onnx", "--report", "none/r.json")
    assert (code, err.splitlines()[0]) == (2, "error: there is no folder none")
    assert not (tmp_path / "d.onnx").exists()


def test_a_link_to_nothing_is_not_replaced(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "d.onnx").symlink_to("elsewhere.onnx")
    code, _, err = run("convert", SOURCE, "d.onnx")
    assert code == 2
    assert "d.onnx exists" in err
    assert (tmp_path / "d.onnx").is_symlink()


@pytest.mark.parametrize("arguments", [["inspect", SOURCE], ["completion", "fish"], ["formats"]])
def test_output_that_cannot_be_written(arguments: list[str]) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "modelport", *arguments], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert done.returncode == 8
    assert done.stderr == "error: No space left on device\n"


@pytest.mark.parametrize("arguments", [["inspect", SOURCE, "--graph"], ["completion", "bash"]])
def test_a_reader_that_stops_reading(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "modelport", *arguments], stdout=write, stderr=subprocess.PIPE,
                          text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as z:
        z.writestr("notes.txt", "no model")
    return made.getvalue()


@pytest.mark.parametrize(("content", "words"), [
    (b"", "is empty"), (b"PK\x03\x04" + bytes(50), "is cut off"), (zipped(), "looks like a zip archive"),
    (b"\x80\x04\x95" + bytes(50), "pickle"), (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    (b"hello, I am not a model", "starts with the bytes"), (b"{}", "JSON")])
def test_unknown_files_are_named(run, tmp_path: Path, content: bytes, words: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "m.bin").write_bytes(content)
    code, _, err = run("inspect", "m.bin")
    assert code == 3
    assert words in err


def test_a_wrong_suffix_does_not_matter(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(SOURCE, tmp_path / "model.onnx")
    assert run("convert", "model.onnx", "out.onnx", "--no-verify")[0] == 0
    shutil.copy(tmp_path / "out.onnx", tmp_path / "out.tflite")
    code, out, _ = run("inspect", "out.tflite")
    assert code == 0
    assert "format       onnx" in out


def test_json_everywhere(run) -> None:  # type: ignore[no-untyped-def]
    for arguments in (["convert", SOURCE, "d.onnx"], ["inspect", SOURCE], ["inspect", SOURCE, "--for", "onnx"],
                      ["verify", SOURCE, "d.onnx"], ["diff", "d.onnx", "d.onnx"], ["formats"]):
        code, out, _ = run(*arguments, "--json")
        assert code == 0
        json.loads(out)
    code, out, _ = run("inspect", "nothing", "--json")
    assert code == 2
    assert json.loads(out)["error"] == "UsageError"


def test_diff(run) -> None:  # type: ignore[no-untyped-def]
    run("convert", SOURCE, "a.onnx", "--no-verify")
    run("convert", SOURCE, "b.onnx", "--no-verify", "--batch", "3")
    code, out, _ = run("diff", "a.onnx", "a.onnx")
    assert code == 0
    assert out == "the same model: interface, operators, attributes and constants are equal\n"
    code, out, _ = run("diff", "a.onnx", "b.onnx")
    assert code == 1
    assert "input 'image': float32[batch, 8, 8, 1] | float32[3, 8, 8, 1]" in out


def test_inspect_prints_the_graph(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("inspect", SOURCE, "--graph")
    assert code == 0
    assert "CONV_2D(" in out
    code, out, _ = run("inspect", SOURCE, "--graph", "--hub")
    assert "nhwc.Conv(" in out


def test_formats_and_help(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("formats")
    assert code == 0
    assert "onnx" in out
    assert "tflite" in out
    assert run()[0] == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell: str) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "convert" in out
    assert "opset" in out


def test_bash_completes() -> None:
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    script = subprocess.run([sys.executable, "-m", "modelport", "completion", "bash"], capture_output=True, text=True,
                            check=True).stdout
    ask = "COMP_WORDS=(modelport convert --op); COMP_CWORD=2; _modelport; echo ${COMPREPLY[@]}"
    got = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True).stdout
    assert got.split() == ["--opset"]


def test_every_option_has_help() -> None:
    import argparse
    actions = [a for p in parser()._actions if isinstance(p, argparse._SubParsersAction) for q in p.choices.values()
               for a in q._actions if a.option_strings]
    assert all(a.help for a in actions)


def test_a_folder_that_cannot_be_written(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = Path("/proc")  # where not even root may make a file
    if os.geteuid() or not folder.is_dir():
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o500)
    code, _, err = run("convert", SOURCE, str(folder / "d.onnx"), "--no-verify")
    assert code == 8
    assert "cannot write" in err


def test_a_killed_conversion_leaves_nothing(tmp_path: Path) -> None:
    """Killed at many moments, the destination is what it was or the whole result; temporary folders may stay."""
    target = tmp_path / "d.onnx"
    command = [sys.executable, "-m", "modelport", "convert", SOURCE, str(target), "--no-verify", "--force"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = target.read_bytes()
    for k in range(6):
        target.write_bytes(b"before")
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            child.wait(timeout=0.08 * (k + 1))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert target.read_bytes() in (b"before", whole)


class Terminal:
    """Standard error that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def test_progress_shows_on_a_terminal_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(after=0.05)
    progress("read")
    assert not terminal.text
    time.sleep(0.2)
    progress("verify")
    progress.done()
    assert "read ..." in terminal.text
    assert "verify ..." in terminal.text
    assert terminal.text.endswith("\r\x1b[K")


def test_progress_is_silent_when_quick_or_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress()
    progress("read")
    progress.done()
    assert not terminal.text
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    progress = Progress(after=0.01)
    progress("read")
    time.sleep(0.05)
    progress("write")
    progress.done()
    assert not terminal.text
