"""Holds PyTorch models to PyTorch: ``python tools/torch_models.py [PATTERN...] [--page] [--list]``.

Each model gets random weights, is exported by ``torch.export`` with what of it may be dynamic (the batch; lengths of
texts and sounds), read by modelport and taken to ONNX; ONNX Runtime and PyTorch answer the same inputs for two sizes of
the batch and, where they are dynamic, three lengths.  Prints a row of a table a model: what is dynamic, how many inputs
were compared, the worst error relative to the range of the output, the verdict:

equal         within 1e-5 of the range, the bar of every float32 output (docs/proof.md)
rounding      farther, but no farther from the answer in float64 than four times as far as PyTorch's own in float32
unsupported   a typed refusal, with its reason
no export     PyTorch itself does not export it
error, WRONG  anything else: the exit code is 1

Each model runs in a process of its own.  torchvision and timm are used where they are installed (``--page`` writes
docs/torch-models.md)."""
from __future__ import annotations

import argparse
import copy
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
ROOT = Path(__file__).resolve().parents[1]
HEADER = ("model", "parameters", "dynamic", "inputs", "worst error", "verdict")
BAR = 1e-5
LENGTHS = (8, 12, 20)


def models() -> dict[str, Any]:
    import torch_transformers
    import torch_zoo
    return {**torch_zoo.models(), **torch_transformers.models()}


def settle(module: Any) -> None:
    """Weights that training would have changed from a constant are no constants: scales near one, shifts near zero."""
    import torch
    with torch.no_grad():
        for name, p in [*module.named_parameters(), *module.named_buffers()]:
            if not p.is_floating_point() or p.numel() < 2 or not p.is_contiguous():
                continue
            if name.endswith("running_var"):
                p.copy_(torch.rand_like(p) + 0.5)
            elif name.endswith("running_mean") or (isinstance(p, torch.nn.Parameter) and (p == p.flatten()[0]).all()):
                p.add_(torch.randn_like(p) * 0.1)


def asked(inputs: Callable[..., Any], dynamic: str) -> list[Any]:
    """Inputs of two sizes of the batch and three lengths; the first are those of the export."""
    if dynamic == "length":
        return [inputs(2, LENGTHS[0]), inputs(3, LENGTHS[1]), inputs(2, LENGTHS[2]), inputs(3, LENGTHS[0])]
    return [inputs(2, LENGTHS[0]), inputs(3, LENGTHS[0])]


def exported(module: Any, xs: list[Any], path: Path) -> list[tuple[bool, ...]]:
    """Writes the program with as much of it dynamic as PyTorch exports, the batch alone or nothing if need be; which
    axes of its inputs are."""
    import torch
    changing = [[k for k in range(group[0].dim()) if len({x.shape[k] for x in group}) > 1]
                for group in zip(*xs, strict=True)]
    for tried in (lambda k: True, lambda k: k == 0, lambda k: False):
        dims = tuple({k: torch.export.Dim.AUTO for k in axes if tried(k)} for axes in changing)
        try:
            program = torch.export.export(module, xs[0], strict=False,
                                          dynamic_shapes=(dims,) if takes_any(module) else dims)
            break
        except Exception:
            if not tried(0):
                raise
    torch.export.save(program, path)
    made = [n.meta["val"] for n in program.graph.nodes if n.op == "placeholder"][-len(xs[0]):]
    return [tuple(isinstance(n, torch.SymInt) and n.node.maybe_as_int() is None for n in v.shape) for v in made]


def takes_any(module: Any) -> bool:
    import inspect
    parameters = inspect.signature(module.forward).parameters.values()
    return any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in parameters)


def leaves(module: Any, x: Any) -> list[Any]:
    import torch
    with torch.no_grad():
        return [t for t in torch.utils._pytree.tree_leaves(module(*x)) if isinstance(t, torch.Tensor)]


def double(x: Any) -> Any:
    return x.double() if x.is_floating_point() else x


def error(want: Any, got: Any) -> float:
    want, got = np.asarray(want), np.asarray(got)
    if want.shape != got.shape:
        raise AssertionError(f"{list(got.shape)} instead of {list(want.shape)}")
    if want.dtype.kind in "biu":
        return 0.0 if (want == got).all() else 1.0
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    real = want[np.isfinite(want)].astype(np.float64)
    scale = float(np.ptp(real)) if real.size > 1 else float(np.abs(real).max(initial=0))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0, np.abs(want.astype(np.float64) - got))
    return float(gap.max(initial=0)) / max(scale, 1e-6)


def measured(name: str, make: Callable[[], Any]) -> tuple[str, ...]:
    """The cells of a row."""
    import torch

    from modelport import api
    from modelport.errors import ModelportError, UnsupportedModel
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        module, inputs, dynamic = make()
    except Exception as e:
        return name, "-", "-", "-", "-", f"not made: {type(e).__name__}: {first(e)}"
    module.eval()
    settle(module)
    count = sum(p.numel() for p in module.parameters())
    size = f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count / 1e3:.0f} k"
    xs = asked(inputs, dynamic)
    with tempfile.TemporaryDirectory(prefix="torch-models-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, out = Path(folder) / "model.pt2", Path(folder) / "model.onnx"
        try:
            free = exported(module, xs, path)
        except Exception as e:
            return name, size, "-", "-", "-", f"no export: {type(e).__name__}: {first(e)}"
        what = " ".join(n for n, some in (("batch", any(f[:1] == (True,) for f in free)),
                                          ("length", any(any(f[1:]) for f in free))) if some) or "nothing"
        fit = [x for x in xs if all(n == m or f for a, b, own in zip(x, xs[0], free, strict=True)
                                    for n, m, f in zip(a.shape, b.shape, own, strict=True))]
        try:
            api.convert(path, out, verify=None)
        except UnsupportedModel as e:
            return name, size, what, "-", "-", "unsupported: " + "; ".join(sorted(
                {f"{p.node.op if p.node else ''} {p.reason}".strip() for p in e.problems}))[:300]
        except ModelportError as e:
            return name, size, what, "-", "-", f"error: {first(e)}"
        try:
            worst, verdict = compared(module, out, fit)
        except Exception as e:
            return name, size, what, str(len(fit)), "-", f"error: {type(e).__name__}: {first(e)}"
    return name, size, what, str(len(fit)), f"{worst:.1e}", verdict


def compared(module: Any, path: Path, xs: list[Any]) -> tuple[float, str]:
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    worst, verdict, wide = 0.0, "equal", None
    for x in xs:
        want = leaves(module, x)
        if len(names) != len(x):
            raise AssertionError(f"{len(names)} inputs instead of {len(x)}")
        got = session.run(None, dict(zip(names, (t.numpy() for t in x), strict=True)))
        if len(want) != len(got):
            raise AssertionError(f"{len(got)} outputs instead of {len(want)}")
        here = max(error(a.numpy(), b) for a, b in zip(want, got, strict=True))
        worst = max(worst, here) if here == here else here
        if here <= BAR:
            continue
        wide = copy.deepcopy(module).double() if wide is None else wide
        exact = leaves(wide, tuple(double(t) for t in x))
        ours = max(error(a.numpy(), b) for a, b in zip(exact, got, strict=True))
        theirs = max(error(a.numpy(), b.numpy()) for a, b in zip(exact, want, strict=True))
        if not ours <= 4 * theirs:
            return worst, f"WRONG: {ours:.1e} from float64, PyTorch {theirs:.1e}"
        verdict = "rounding"
    return worst, verdict


def first(e: BaseException) -> str:
    return " ".join(str(e).split())[:200].replace("|", "/")


def _child(name: str, pipe: Any) -> None:
    try:
        pipe.send(measured(name, models()[name]))
    except BaseException as e:
        pipe.send((name, "-", "-", "-", "-", f"error: {type(e).__name__}: {first(e)}"))


def rows(names: list[str], seconds: int) -> Iterator[tuple[str, ...]]:
    """Each in a fork of this process, which has imported the libraries."""
    import torch
    torch.set_num_threads(1)
    context = multiprocessing.get_context("fork")
    for name in names:
        mine, other = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(name, other))
        process.start()
        other.close()
        try:
            yield mine.recv() if mine.poll(seconds) else (name, "-", "-", "-", "-", f"error: over {seconds} s")
        except EOFError:
            yield name, "-", "-", "-", "-", "error: the process died"
        if process.is_alive():
            process.join(1)
            process.kill()
        process.join()


def cells(line: str) -> tuple[str, ...]:
    """The cells of a printed row; empty for what is none."""
    made = tuple(line.strip().strip("|").strip().split(" | "))
    return made if line.startswith("| ") and len(made) == len(HEADER) else ()


def kind(verdict: str) -> str:
    return verdict.partition(":")[0]


def page(found: list[tuple[str, ...]]) -> str:
    """docs/torch-models.md."""
    import torch
    import transformers
    counted = Counter(kind(r[-1]) for r in found)
    versions = [f"PyTorch {torch.__version__.partition('+')[0]}", f"transformers {transformers.__version__}",
                *(f"{other} {sys.modules[other].__version__.partition('+')[0]}"
                  for other in ("torchvision", "timm") if other in sys.modules)]
    asked = [r for r in found if kind(r[-1]) not in ("no export", "not made")]
    good = sum(kind(r[-1]) in ("equal", "rounding") for r in asked)
    head = f"""# Models of PyTorch, measured

`python tools/torch_models.py` printed the rows of this page, with {', '.join(versions)}:
{len(asked)} models with random weights, exported by `torch.export`, read by modelport and run by ONNX Runtime, for two
sizes of the batch and, where lengths are dynamic, three lengths. {good} of them ({100 * good / len(asked):.1f} %)
answer as PyTorch does: {counted['equal']} within 1e-5 of the range of the output, {counted['rounding']} within what
rounding in float32 does (no farther from the answer in float64 than four times PyTorch's own answer is).

"""
    others = [r for r in asked if kind(r[-1]) not in ("equal", "rounding")]
    if others:
        head += "What is not read, and why:\n\n" + table(("model", "verdict"), [(f"`{r[0]}`", r[-1]) for r in others])
    lost = [r for r in found if kind(r[-1]) == "no export"]
    if lost:
        head += "\nNot counted, as PyTorch does not export them so: " + ", ".join(f"`{r[0]}`" for r in lost) + ".\n"
    return head + "\n## All\n\n" + table(HEADER, [(f"`{r[0]}`", *r[1:-1], kind(r[-1])) for r in asked])


def table(head: tuple[str, ...], lines: list[Any]) -> str:
    return "".join("| " + " | ".join(row) + " |\n" for row in (head, ("---",) * len(head), *lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", help="parts of names; all models if there is none")
    parser.add_argument("--page", action="store_true", help="write docs/torch-models.md")
    parser.add_argument("--rows", nargs="+", type=Path, default=[], metavar="FILE",
                        help="for --page: rows that were printed before, later ones in the place of earlier ones")
    parser.add_argument("--list", action="store_true", help="print the names only")
    parser.add_argument("--seconds", type=int, default=300, help="the most that a model may take")
    options = parser.parse_args()
    if options.rows:
        held = {r[0]: r for path in options.rows for r in map(cells, path.read_text().splitlines()) if r}
        (ROOT / "docs/torch-models.md").write_text(page([held[n] for n in models() if n in held]))
        return 0
    names = [n for n in models() if not options.patterns or any(p in n for p in options.patterns)]
    if options.list:
        print("\n".join(names))
        return 0
    found = []
    begin = time.time()
    for row in rows(names, options.seconds):
        found.append(row)
        print("| " + " | ".join(row) + " |", flush=True)
    print(dict(Counter(kind(r[-1]) for r in found)), f"{time.time() - begin:.0f} s")
    if options.page:
        (ROOT / "docs/torch-models.md").write_text(page(found))
    return int(any(kind(r[-1]) in ("error", "WRONG") for r in found))


if __name__ == "__main__":
    raise SystemExit(main())
