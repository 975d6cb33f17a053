"""The shape of the code: which layer may import which, how long a file may be, what start-up may cost."""
from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "modelport"
FILES = sorted(SRC.rglob("*.py"))

LAYERS = ["errors", "notes", "registry", "ir", "codecs", "hub", "passes", "formats", "runtimes", "proof", "describe",
          "bench", "frameworks", "rescue", "feeds", "api", "cli"]
"""Imports go down this list only: a module may import its own layer and those before it."""
FRAMEWORKS = {"tensorflow", "keras", "torch", "sklearn", "xgboost", "lightgbm", "catboost", "coremltools", "tensorrt",
              "ai_edge_litert", "onnxruntime", "openvino", "executorch"}


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(SRC).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Absolute names of the modules that a file imports, and whether at run time (not for types only)."""
    tree = ast.parse(path.read_text())
    package = ("modelport", *path.relative_to(SRC).parent.parts)
    typing = {id(n) for t in ast.walk(tree) if isinstance(t, ast.If) and "TYPE_CHECKING" in ast.unparse(t.test)
              for n in ast.walk(t)}
    for node in ast.walk(tree):
        real = id(node) not in typing
        if isinstance(node, ast.Import):
            for a in node.names:
                yield a.name, real
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name, real
            for a in node.names:
                yield f"{name}.{a.name}", real


def layer(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "modelport" else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_down(path: Path) -> None:
    mine = module_of(path)
    if not mine or mine == ("__main__",):
        return
    assert mine[0] in LAYERS, f"{mine[0]} has no place in the list of layers"
    for name, real in imports(path):
        other = layer(name)
        if real and other in LAYERS:
            assert LAYERS.index(other) <= LAYERS.index(mine[0]), f"{'.'.join(mine)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_frameworks_are_imported_by_runtimes_only(path: Path) -> None:
    found = {name.split(".")[0] for name, _ in imports(path)} & FRAMEWORKS
    assert not found or module_of(path)[0] == "runtimes" or path.name == "live.py", f"{path} imports {found}"


def test_files_are_short() -> None:
    for path in (*FILES, *(ROOT / "tests").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 600, path


def test_formats_have_the_same_family_files() -> None:
    """``to_onnx`` and ``from_onnx`` of a format use the family names of the architecture."""
    known = {"activation", "conv", "math", "matmul", "norm", "pool", "quant", "recurrent", "reduce", "shape", "control",
             "attention", "linear", "trees", "svm", "neighbors", "preprocess", "text", "compose", "table", "image",
             "detection", "compare", "index", "signal", "select", "common", "flex", "hlo", "mediapipe", "integer", "ml",
             "random", "ragged", "bayes", "boosting", "cluster", "curves", "encode", "gaussian", "impute", "libraries",
             "meta", "projection", "tensorflow", "create", "numbers", "loss", "sorting",
             "special", "hashing", "factors", "__init__"}
    for folder in (*SRC.glob("formats/*/to_onnx"), *SRC.glob("formats/*/from_onnx")):
        assert {p.stem for p in folder.glob("*.py")} <= known, folder


def cpu(*arguments: str) -> float:
    """CPU seconds of the fastest of five runs of Python."""
    out = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(out)


def test_start_up_is_quick() -> None:
    bare = cpu("-c", "pass")
    assert cpu("-c", "import modelport") - bare < 0.05
    assert cpu("-m", "modelport", "--help") < 0.15


def test_a_conversion_imports_no_framework(tmp_path: Path) -> None:
    code = ("import sys, modelport; modelport.convert(sys.argv[1], sys.argv[2], verify=None); "
            f"bad = set(sys.modules) & {FRAMEWORKS!r}; assert not bad, bad")
    subprocess.run([sys.executable, "-c", code, str(ROOT / "examples/digits/digits.tflite"), str(tmp_path / "d.onnx")],
                   check=True)


def test_no_file_names_this_machine() -> None:
    """No registry's address and no absolute path of a machine in what git tracks."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"https?://[\w.-]*(?:pypi|npmjs|pythonhosted)[\w.-]*|/(?:home|root|work)/\w+")
    own = Path(__file__).resolve()
    for name in tracked.stdout.split():
        path = ROOT / name
        if path.resolve() == own or not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        assert not pattern.search(text), f"{name}: {pattern.search(text)}"


def test_every_public_function_says_what_it_does() -> None:
    """Modules and public classes and functions have docstrings."""
    for path in FILES:
        tree = ast.parse(path.read_text())
        if path.name != "__main__.py" and os.path.getsize(path):
            assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_the_support_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/support.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr + "run python tools/support.py"


def test_names_of_test_files_are_unique() -> None:
    """Without packages, pytest imports test files by their names."""
    seen: dict[str, Path] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.name.startswith("test_"):
            assert path.name not in seen, (path, seen[path.name])
            seen[path.name] = path
