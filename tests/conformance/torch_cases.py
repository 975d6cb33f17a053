"""What becomes of each function and module of PyTorch on the way to ONNX.

pass          ONNX Runtime answers as PyTorch does, within rounding, at the sizes it was exported with and at others
unsupported   a typed refusal, with its reason
refused       PyTorch itself does not export it so
error         the translation failed otherwise, or does not run
wrong         the translation answers something else
crash         a runtime died

``python tests/conformance/torch_cases.py FAMILY [PATTERN]`` needs PyTorch: it exports the cases of
``tests/cases/torch/FAMILY.py``, or those whose name holds the pattern, records files and answers in
``tests/recorded/torch/FAMILY.tar.xz`` and writes the table; with ``--recorded`` it needs nothing and writes the table
from the recording.  A case has several forms: ``name`` is a .pt2 file of fixed sizes, ``name~dynamic`` one whose sizes
are dynamic where torch.export lets them, asked about other sizes too, ``name~ts`` a traced TorchScript file,
``name~script`` a compiled one, whose sizes are not said when it is read."""
from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import torch as format_torch
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parents[1]))
from cases.torch import Case

ROOT = Path(__file__).parents[1]
FAMILIES = sorted(p.stem for p in (ROOT / "cases/torch").glob("[a-z]*.py"))
KINDS = {"f": "float32", "d": "float64", "h": "float16", "i": "int64", "s": "int32", "u": "uint8", "b": "bool"}
SUFFIX = {"pt2": ".pt2", "dynamic": ".pt2", "ts": ".pt", "script": ".pt"}


def cases(family: str) -> dict[str, Case]:
    return import_module(f"cases.torch.{family}").FAMILY.cases


def recording(family: str) -> Path:
    return ROOT / f"recorded/torch/{family}.tar.xz"


def expected(family: str) -> Path:
    return Path(__file__).parent / f"expected/torch-{family}.txt"


def arrays(said: str, rng: np.random.Generator, more: int = 0) -> list[np.ndarray]:
    """The tensors of a case; ``more`` is added to each size above one."""
    out = []
    for kind, sizes, low, high, values in re.findall(
            r"([fdhisub])\[([\d,]*)\](?:(-?[\d.]+):(-?[\d.]+)|=([-\w.,]+))?", said):
        dtype = np.dtype(KINDS[kind])
        shape = [int(n) + (more if int(n) > 1 else 0) for n in sizes.split(",") if n]
        if values:
            made = np.array([float(v) for v in values.split(",")]).reshape([int(n) for n in sizes.split(",") if n])
        elif dtype.kind == "f":
            made = rng.uniform(float(low), float(high), shape) if low else rng.normal(size=shape)
        elif kind == "b":
            made = rng.integers(0, 2, shape)
        else:
            made = rng.integers(int(low or (0 if kind == "u" else -5)), int(high or 5), shape)
        out.append(np.asarray(made).astype(dtype))
    return out


# -- live


def built(case: Case) -> Any:
    """The module of a case."""
    import torch
    from torch import nn
    known = {"torch": torch, "nn": nn, "F": torch.nn.functional, "np": np}
    if case.module:
        module = eval(case.expression, known)
        for p in [*module.parameters(), *module.buffers()]:
            if p.is_floating_point():
                p.data = torch.rand_like(p) + 0.5 if p.dim() == 1 and (p.min() >= 0).item() else torch.randn_like(p) / 2
        return module.eval()
    names = "xyzuvw"[:len(arrays(case.inputs, np.random.default_rng(0)))]
    lines = case.expression.strip().splitlines()
    body = "\n".join(f"    {line}" for line in lines[:-1]) + f"\n    return {lines[-1]}"
    scope: dict[str, Any] = dict(known)
    exec(f"def forward(self, {', '.join(names)}):\n{body}", scope)
    return type("Case", (nn.Module,), {"forward": scope["forward"]})().eval()


def live(case: Case) -> dict[str, Any]:
    """For each form: the bytes of the file, and inputs with answers for some sizes; or why there are none."""
    import torch
    found: dict[str, Any] = {}
    torch.manual_seed(3)
    module = scripted(case) if "script" in case.forms else built(case)
    small = arrays(case.inputs, np.random.default_rng(5))
    large = arrays(case.inputs, np.random.default_rng(6), more=1)
    for form in case.forms:
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                data = {"pt2": exported, "dynamic": dynamic, "ts": traced, "script": saved}[form](module, small)
                asked = [small]
                if form == "script":
                    asked.append(large)
                if form == "dynamic":
                    if b"Symbol" not in data:
                        continue  # nothing of it is dynamic
                    asked.append(fitting(data, small, large))
                found[form] = clean(data), [(x, answers(module, x)) for x in asked]
        except Exception as e:
            if form in ("pt2", "script"):
                return {form: f"refused: {type(e).__name__}: {' '.join(str(e).split())[:80]}"}
    return found


def tensors(xs: list[np.ndarray]) -> tuple[Any, ...]:
    import torch
    return tuple(torch.from_numpy(np.array(x)) for x in xs)


def exported(module: Any, xs: list[np.ndarray]) -> bytes:
    import torch
    out = io.BytesIO()
    torch.export.save(torch.export.export(module, tensors(xs), strict=False), out)
    return out.getvalue()


def dynamic(module: Any, xs: list[np.ndarray]) -> bytes:
    import torch
    out = io.BytesIO()
    shapes = tuple({k: torch.export.Dim.AUTO for k, n in enumerate(x.shape) if n > 1} for x in xs)
    program = torch.export.export(module, tensors(xs), strict=False,
                                  dynamic_shapes=(shapes,) if takes_any(module) else shapes)
    torch.export.save(program, out)
    return out.getvalue()


def takes_any(module: Any) -> bool:
    import inspect
    parameters = inspect.signature(module.forward).parameters.values()
    return any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in parameters)


def fitting(data: bytes, small: list[np.ndarray], large: list[np.ndarray]) -> list[np.ndarray]:
    """Inputs whose sizes are larger wherever the program lets them be."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        name = next(n for n in z.namelist() if "/models/" in n)
        program = json.loads(z.read(name))
    graph = program["graph_module"]["graph"]
    names = [s["user_input"]["arg"]["as_tensor"]["name"] for s in program["graph_module"]["signature"]["input_specs"]
             if "user_input" in s]
    out = []
    for n, a, b in zip(names, small, large, strict=True):
        free = [re.fullmatch(r"Symbol\('\w+'.*\)", d.get("as_expr", {}).get("expr_str", "")) is not None
                for d in graph["tensor_values"][n]["sizes"]]
        part = b[tuple(slice(None) if f else slice(0, k) for f, k in zip(free, a.shape, strict=True))]
        out.append(np.array(part))
    return out


def scripted(case: Case) -> Any:
    """A module that torch.jit.script compiles: its code has to be in a file."""
    import torch
    if case.module:
        return torch.jit.script(built(case))
    count = len(arrays(case.inputs, np.random.default_rng(0)))
    lines = case.expression.strip("\n").splitlines()
    body = "\n".join(f"        {line}" for line in lines[:-1]) + f"\n        return {lines[-1]}"
    given = ", ".join(f"{n}: torch.Tensor" for n in "xyzuvw"[:count])
    text = ("import torch\nfrom torch import nn\nfrom typing import *\nF = torch.nn.functional\n\n\n"
            f"class Case(nn.Module):\n    def forward(self, {given}):\n{body}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scripted_case.py"
        path.write_text(text)
        spec = spec_from_file_location("scripted_case", path)
        assert spec is not None
        assert spec.loader is not None
        found = module_from_spec(spec)
        sys.modules["scripted_case"] = found
        spec.loader.exec_module(found)
        return torch.jit.script(found.Case().eval())


def saved(module: Any, xs: list[np.ndarray]) -> bytes:
    import torch
    out = io.BytesIO()
    torch.jit.save(module, out)
    return out.getvalue()


def traced(module: Any, xs: list[np.ndarray]) -> bytes:
    import torch
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, tensors(xs), check_trace=False), out)
    return out.getvalue()


def answers(module: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    import torch
    made = torch.utils._pytree.tree_leaves(module(*tensors(xs)))
    return [m.detach().resolve_conj().numpy() if isinstance(m, torch.Tensor) else np.asarray(m) for m in made]


def clean(data: bytes) -> bytes:
    """Without the places in the source that a file remembers: they are paths of this machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            body = old.read(info)
            if info.filename.endswith(".debug_pkl") or "sample_inputs" in info.filename:
                continue
            if "/models/" in info.filename:
                program = json.loads(body)
                strip(program["graph_module"])
                body = json.dumps(program).encode()
            if "/code/" in info.filename:
                body = re.sub(rb"(?m)(?:^|(?<=\s))#[^\n]*", b"", body)
            new.writestr(zipfile.ZipInfo(info.filename), body)
    return out.getvalue()


def strip(x: Any) -> None:
    if isinstance(x, dict):
        for key in ("stack_trace", "torch_fn", "from_node"):
            x.pop(key, None)
        for v in x.values():
            strip(v)
    elif isinstance(x, list):
        for v in x:
            strip(v)


# -- recorded


def record(family: str, pattern: str = "") -> dict[str, Any]:
    old = recorded(family) if pattern and recording(family).is_file() else {}
    found: dict[str, Any] = {}
    for case in cases(family).values():
        before = {k: v for k, v in old.items() if k.partition("~")[0] == case.name}
        if pattern in case.name or not before:
            print(case.name, file=sys.stderr, flush=True)
            made = live(case)
            before = {case.name if form == "pt2" else f"{case.name}~{form}": v for form, v in made.items()}
        found.update(before)
    recording(family).parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(recording(family), "w:xz", preset=9) as tar:
        for name, made in found.items():
            if isinstance(made, str):
                put(tar, f"{name}.txt", made.encode())
                continue
            data, asked = made
            put(tar, f"{name}.pt", data)
            buffer = io.BytesIO()
            np.savez(buffer, **{f"{k}_{side}{n}": a for k, pair in enumerate(asked)
                                for side, group in zip("xy", pair, strict=True) for n, a in enumerate(group)})
            put(tar, f"{name}.npz", buffer.getvalue())
    return recorded(family)


def put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name.replace("/", "__"))
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def recorded(family: str) -> dict[str, Any]:
    """Name -> why it was refused, or (file, [(inputs, answers) for each set of sizes])."""
    files: dict[str, bytes] = {}
    with tarfile.open(recording(family), "r:xz") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            files[member.name.replace("__", "/")] = stream.read()
    out: dict[str, Any] = {}
    known = cases(family)
    for name, data in files.items():
        stem, _, suffix = name.rpartition(".")
        if stem.partition("~")[0] not in known:
            continue
        if suffix == "txt":
            out[stem] = data.decode()
        elif suffix == "pt":
            with np.load(io.BytesIO(files[f"{stem}.npz"])) as z:
                asked = []
                for k in range(2):
                    pair = [[z[f"{k}_{side}{n}"] for n in range(sum(f.startswith(f"{k}_{side}") for f in z.files))]
                            for side in "xy"]
                    if any(pair):
                        asked.append(tuple(pair))
            out[stem] = data, asked
    return out


# -- verdicts


def run(family: str, found: dict[str, Any], only: str = "") -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as target:
        for name, made in found.items():
            if only in name:
                case, _, form = name.partition("~")
                yield name, made if isinstance(made, str) else \
                    verdict(cases(family)[case], form or "pt2", *made, Path(folder), target)


def verdict(case: Case, form: str, data: bytes, asked: list[Any], folder: Path, target: isolated.Worker) -> str:
    path, onnx = folder / f"case{SUFFIX[form]}", folder / "case.onnx"
    path.write_bytes(data)
    options = {"shapes": {k: x.shape for k, x in enumerate(asked[0][0])}, "dtypes": [x.dtype for x in asked[0][0]]} \
        if form in ("ts", "script") else {}
    try:
        raw = read_script(path, asked[0][0], form == "script") if options else format_torch.read(path)
        format_onnx.write(format_onnx.from_hub(format_torch.to_hub(raw)), onnx)
    except UnsupportedModel as e:
        return f"unsupported: {e.problems[0].reason}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    try:
        session = target.open("onnxruntime", onnx, optimize=False)
        for k, (given, want) in enumerate(asked):
            made = session.run(dict(zip(session.inputs, given, strict=True)))
            if difference := compared(want, list(made.values()), case):
                return f"wrong: {'at other sizes ' if k else ''}{difference}"
    except RuntimeFailed as e:
        return "crash: ONNX Runtime" if "crashed" in e.message else f"error: {e.message.splitlines()[0][:160]}"
    except (ModelportError, ValueError) as e:
        return f"error: {str(e).splitlines()[0]}"
    return "pass"


def read_script(path: Path, given: list[np.ndarray], free: bool) -> Any:
    """A TorchScript file, whose inputs are said; with ``free`` only how many axes they have."""
    return format_torch.read(path, inputs=[
        f"{x.dtype}[{','.join(f'd{k}_{n}' if free and n > 1 else str(n) for n in x.shape)}]"
        for k, x in enumerate(given)])


def compared(want: list[np.ndarray], got: list[np.ndarray], case: Case) -> str:
    """What is different; empty if nothing is.  Integers and truth values are equal.  Real numbers may differ by the
    rounding of another order of operations, 1e-5 of the largest (float32; 1e-3 of float16, 1e-9 of float64)."""
    if len(want) != len(got):
        return f"{len(got)} outputs instead of {len(want)}"
    for k, (a, b) in enumerate(zip(want, got, strict=True)):
        if a.dtype.kind == "c":
            a = np.stack([a.real, a.imag], -1)
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"output {k} {b.dtype}{list(b.shape)} instead of {a.dtype}{list(a.shape)}"
        if a.dtype.kind != "f":
            if not (a == b).all():
                return f"output {k} {np.count_nonzero(a != b)} of {a.size} differ"
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        scale = np.where(np.isfinite(x), np.abs(x), 0).max(initial=0)
        bar = case.loose or {2: 1e-3, 4: 1e-5, 8: 1e-9}[a.dtype.itemsize]
        with np.errstate(invalid="ignore"):
            error = np.where(same, 0, np.abs(x - y))
        if case.step and (error <= 1.001 * case.step).all() and (error > bar * scale).mean() <= 0.25:
            continue
        if not (error <= bar * max(scale, 1e-3)).all():
            return f"output {k} by {np.nanmax(error) / max(scale, 1e-3):.2g} of range"
    return ""


def table(family: str, found: dict[str, Any]) -> str:
    return "".join(f"{name:<56} {what}\n" for name, what in sorted(run(family, found)))


if __name__ == "__main__":
    which = next(a for a in sys.argv[1:] if not a.startswith("-"))
    rest = [a for a in sys.argv[1:] if not a.startswith("-") and a != which]
    result = recorded(which) if "--recorded" in sys.argv else record(which, next(iter(rest), ""))
    expected(which).write_text(table(which, result))
    print(expected(which).read_text())
