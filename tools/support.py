"""Makes the support pages ``docs/formats/*.md`` from what the conformance tests recorded: ``python tools/support.py``.

With ``--check`` nothing is written; the exit code says whether the pages are stale."""
from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = ROOT / "tests" / "conformance" / "expected"
PAGES = ROOT / "docs" / "formats"


def table(name: str) -> dict[str, str]:
    """Case -> verdict, of one recorded table."""
    out = {}
    for line in (EXPECTED / name).read_text().splitlines():
        case, _, verdict = line.partition(" ")
        out[case] = verdict.strip()
    return out


def kinds(verdicts: Mapping[str, str]) -> str:
    """A summary: so many passed, so many of each other kind."""
    count = Counter(v.split()[0].rstrip(":") for v in verdicts.values())
    return ", ".join(f"{n} {k}" for k, n in count.most_common())


def rows(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head),
                      *(f"| {' | '.join(str(c) for c in line)} |" for line in lines)])


def operators() -> dict[str, str]:
    """The operator that each of ONNX's node cases is about."""
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    import onnx
    from onnx_cases import node_cases
    out = {}
    for case in node_cases():
        nodes = onnx.ModelProto.FromString(case.model).graph.node
        if "_expanded" not in case.name and nodes:
            domain = nodes[0].domain
            out[case.name] = f"{domain}.{nodes[0].op_type}" if domain else nodes[0].op_type
    return out


def onnx_page() -> str:
    tables = {name: table(f"onnx{suffix}.txt") for name, suffix in
              (("default", ""), ("28", "-28"), ("20", "-20"), ("17", "-17"), ("13", "-13"))}
    ways = {name: table(f"onnx-{name}.txt") for name in ("canonical", "passes", "layout", "decomposed")}
    by_op: dict[str, list[str]] = defaultdict(list)
    for case, op in operators().items():
        by_op[op].append(case)

    def cell(verdicts: Mapping[str, str], cases: Sequence[str]) -> str:
        passed = sum(verdicts[c].startswith("pass") for c in cases)
        return "yes" if passed == len(cases) else f"{passed} of {len(cases)}" if passed else "no"

    lines = [[f"`{op}`", len(cases), *(cell(t, cases) for t in tables.values())]
             for op, cases in sorted(by_op.items())]
    reasons: dict[str, list[str]] = defaultdict(list)
    for case, verdict in tables["default"].items():
        if not verdict.startswith("pass"):
            reasons[verdict].append(case.removeprefix("test_"))
    from modelport.hub.decompose.contrib import rules
    contributed = ", ".join(f"`{op.rpartition('.')[2]}`" for op in sorted(rules) if op.startswith("com.microsoft."))
    from modelport.hub.decompose.ml import rules as ml
    classical = ", ".join(f"`{op.rpartition('.')[2]}`" for op in sorted(ml) if op != "ai.onnx.ml.CategoryMapper")
    return f"""# ONNX

Files of every operator set from 1 to 28 and of every version of the container are read: model-local functions, bodies, external
data, every element type, metadata. Operator sets 13 to 28 are written (`--opset`); by default 20, or what newer operators need.
Weights stay on disk; above 2 GB, or with `--external-data`, they are written to a file of their own.

Sequences, optionals, maps and training operators are refused, by name and place.

## Measured

ONNX's own {len(tables['default'])} cases, each read, taken through the hub, written and run, compared with what the case expects:

{rows(["operator set written", "cases"], [[name, kinds(t)] for name, t in tables.items()])}

And written at the default operator set after a detour in the hub: in the canonical form that writers of other formats get;
after all passes; with every layout-bound operator turned channels last and back; with every operator decomposed that can be:

{rows(["way", "cases"], [[name, kinds(t)] for name, t in ways.items()])}

*runtime* means that neither ONNX Runtime nor ONNX's reference computes what the case expects, from the case as it is: its body
of Range adds up, and rounds otherwise than the numbers it expects.

What does not pass by default, and why:

{rows(["cases", "verdict"], [[len(cases), verdict] for verdict, cases in sorted(reasons.items(), key=lambda i: -len(i[1]))])}

## Contributed operators

Operators of ONNX Runtime (domain `com.microsoft`) that are read, by decomposition: {contributed}.

## Classical machine learning

Operators of `ai.onnx.ml` that are also said in tensor operators, for targets that lack them (numbers only, no text; the leaf of
every tree is that of ONNX Runtime's kernel): {classical}.

## Operators

Cases of each operator that pass, by the operator set written.

{rows(["operator", "cases", *tables], lines)}
"""


def target(name: str) -> tuple[dict[str, str], dict[str, str], float, list[list[object]]]:
    """What became of ONNX's cases in a format: all, those whose element types it has, the share of these that pass, and
    a row for each operator."""
    written = table(f"{name}-target.txt")
    ops: dict[str, list[str]] = defaultdict(list)
    for case, op in operators().items():
        ops[op].append(case)
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    module = import_module(f"{name}_target")
    held = {k: v for k, v in written.items()
            if not any(r.search(t) for r in (module.OUTSIDE, module.LACKING) for t in (k, v))}
    lines: list[list[object]] = []
    for op, cases in sorted(ops.items()):
        passed = sum(written[c] == "pass" for c in cases)
        why = sorted({written[c].removeprefix("unsupported (").removesuffix(")") for c in cases if written[c] != "pass"})
        lines.append([f"`{op}`", f"{passed} of {len(cases)}", "; ".join(why)[:300].replace("|", "/")])
    return written, held, 100 * sum(v == "pass" for v in held.values()) / len(held), lines


def writing(name: str, how: str) -> str:
    """The section on writing of a format's page."""
    written, held, share, lines = target(name)
    return f"""## Writing, measured

ONNX's own {len(written)} cases, each read, written {how}: {kinds(written)}. Of the {len(held)} whose element types the format has
or carries, {share:.1f} % pass; the others are refused with the reason.

{rows(["operator", "cases that pass", "why not the others"], lines)}
"""


def tensorflow_page() -> str:
    verdicts = table("tensorflow.txt")
    by_op: dict[str, list[str]] = defaultdict(list)
    for case in verdicts:
        by_op[case.partition("/")[0]].append(case)
    lines: list[list[object]] = []
    for op, cases in sorted(by_op.items()):
        passed = sum(verdicts[c].startswith("pass") for c in cases)
        why = "; ".join(f"{c.partition('/')[2] or 'as such'}: {verdicts[c]}" for c in cases
                        if not verdicts[c].startswith("pass"))
        lines.append([f"`{op}`", f"{passed} of {len(cases)}", why])
    sys.path.insert(0, str(ROOT / "src"))
    from modelport.formats.tensorflow.to_onnx import to_onnx
    named = {op for op in to_onnx if not op.startswith(("recurrent.", "random.")) and op not in (
        "WhileStacked", "TensorListKeepLast", "TensorListReserveLike")}
    return f"""# TensorFlow

SavedModels and frozen graphs (`.pb`, `.pbtxt`) are read and written; TensorFlow is not needed. [Reading](../tensorflow.md) and
[writing](../tensorflow-writing.md) say more.

{writing("tensorflow", "as TensorFlow's graph and run by TensorFlow on the CPU")}
## Reading, measured

{len(named)} operators are read. {len(verdicts)} cases of one operator each, computed by TensorFlow, by modelport's interpreter in numpy
and, through the hub, by ONNX Runtime: {kinds(verdicts)}. Real numbers agree to 1e-5 of the range, all others are equal.

{rows(["operator", "cases that pass", "what does not"], lines)}

Read as well: {", ".join(f"`{op}`" for op in sorted(named - set(by_op)))}; and variables, tables, arrays, functions and the control
flow of both generations, which are resolved while a graph is read.
"""


def tfjs_page() -> str:
    return f"""# TensorFlow.js

Graph models (a folder with `model.json` and shards of weights) are read and written; neither TensorFlow nor Node.js is needed.
[The guide](../tfjs.md) says more.

{writing("tfjs", "as a graph model and run by TensorFlow.js 4.22 in Node.js (backend `cpu`)")}"""


def tflite_page() -> str:
    verdicts = table("tflite.txt")
    by_op: dict[str, list[str]] = defaultdict(list)
    for case in verdicts:
        by_op[case.partition("/")[0]].append(case)
    lines = []
    for op, cases in sorted(by_op.items()):
        passed = sum(verdicts[c].startswith("pass") for c in cases)
        why = "; ".join(f"{c.partition('/')[2] or 'as such'}: {verdicts[c]}" for c in cases
                        if not verdicts[c].startswith("pass"))
        lines.append([f"`{op}`", f"{passed} of {len(cases)}", why])
    written, held, share, targets = target("tflite")
    return f"""# TensorFlow Lite

Files are written with builtin operators only, by no framework: float32, float16 weights (`--float16`), int8, int16 and uint8 from
QDQ graphs; sizes that are symbols stay dynamic; channels last inside, whatever the interface is (`--layout`); each operator in the
lowest version that has what it needs; labels and normalisation as TFLite metadata. [The guide](../tflite.md) says more.

Files are read: float32, float16, bfloat16, int8, int16 activations with int8 weights, the old asymmetric uint8, hybrid weights,
per tensor and per channel; dynamic sizes; several signatures (`--signature`); variables (`--state`); names, labels and
normalisation from the metadata. Quantization becomes QuantizeLinear and DequantizeLinear. `TFLite_Detection_PostProcess` becomes
NonMaxSuppression, MediaPipe's operators and TensorFlow's functions of numbers become what they compute.

## Writing, measured

ONNX's own {len(written)} cases, each read, written as TensorFlow Lite and run by LiteRT with XNNPACK and without:
{kinds(written)}. Of the {len(held)} whose element types the format has, {share:.1f} % pass; the others are refused with the reason.

{rows(["operator", "cases that pass", "why not the others"], targets)}

## Reading, measured

{len(verdicts)} cases of one operator each, run by LiteRT's kernels and, through the hub, by ONNX Runtime: {kinds(verdicts)}.
Real numbers agree to 1e-5 of the range, integers to one step.

{rows(["operator", "cases that pass", "what does not"], lines)}
"""


def _operation(case: str) -> str:
    """The function of a case's name, which may say more behind it."""
    from modelport.formats.keras.to_onnx import to_onnx
    parts = case.split("_")
    names = ["_".join(parts[:n]) for n in range(len(parts), 0, -1)]
    public = {"allclose": "all_close", "isin": "is_in", "searchsorted": "search_sorted", "cdist": "c_dist",
              "batch_normalization": "batch_norm"}
    return next((n for n in names if f"ops.{public.get(n, n)}" in to_onnx), names[-1])


def keras_page() -> str:
    verdicts = table("keras.txt")
    groups: dict[str, list[str]] = defaultdict(list)
    for case in verdicts:
        head, _, rest = case.partition("/")
        groups[f"keras.ops.{_operation(rest.partition('@')[0])}" if head == "ops" else
               head.partition("@")[0]].append(case)
    named = {"TFOpLambda": "functions of TensorFlow in models of Keras 2", "model": "nested, shared and masked models",
             "masks": "masks from layer to layer",
             "policy": "policies of half precision and of quantization", "h5": ".h5 files of Keras 3"}
    lines, functions = [], []
    for name, cases in sorted(groups.items()):
        passed = sum(verdicts[c] == "pass" for c in cases)
        old = sum(c.endswith("@2") and verdicts[c] == "pass" for c in cases)
        why = "; ".join(sorted({verdicts[c].removeprefix("unsupported: ").replace("|", "/") for c in cases
                                if verdicts[c] != "pass"}))
        if name.startswith("keras.ops."):
            functions.append(f"`{name.removeprefix('keras.ops.')}`" + (f" ({why})" if why else ""))
        else:
            lines.append([named.get(name) or f"`{name}`", f"{passed} of {len(cases)}", old or "", why])
    return f"""# Keras

Files are read: `.keras` (zipped, or as a folder; of Keras 2.12 to today), `.h5` and `.hdf5` of Keras 1, 2 and 3 and of tf.keras,
and architectures in JSON with a file of weights. Neither Keras nor TensorFlow is needed, and nothing in a file is run: a Lambda
layer and a subclassed model are refused, with the ways out. [The guide](../keras.md) says more.

{writing("keras", "as `.keras` and run by Keras 3")}
The cases keep shapes, axes and weights as inputs of the model, which a net of layers wants as constants: most refusals are of that
kind. Real models have them as constants.

## Reading, measured

{len(verdicts)} models of one layer or operation each, made by Keras 3 and tf_keras, computed by them and, through the hub, by ONNX
Runtime: {kinds(verdicts)}. Real numbers agree to 1e-5 of the range, whole numbers and text exactly.

{rows(["layer", "cases that pass", "of them Keras 2", "what does not"], lines)}

## Operations

Functions of `keras.ops` in functional models, each with one case or several: {", ".join(functions)}.
"""


def sklearn_page() -> str:
    verdicts = {f"{path.stem.removeprefix('tabular-')}:{line[:56].strip()}": line[56:].strip()  # names have spaces
                for path in sorted(EXPECTED.glob("tabular-*.txt")) for line in path.read_text().splitlines()}
    groups: dict[str, list[str]] = defaultdict(list)
    for case in verdicts:
        groups[case.partition(":")[2].partition("/")[0]].append(case)
    lines = []
    for name, cases in sorted(groups.items()):
        passed = sum(verdicts[c] == "pass" for c in cases)
        why = "; ".join(sorted({verdicts[c].removeprefix("unsupported: ").replace("|", "/") for c in cases
                                if verdicts[c] != "pass"}))
        lines.append([f"`{name}`", f"{passed} of {len(cases)}", why])
    return f"""# scikit-learn

Pickles are read: `.pkl`, `.pickle`, `.joblib`, `.sav`, of every protocol, compressed or not. scikit-learn is not needed, and nothing in
a pickle is run: every class it names stays a name.

## Reading, measured

{len(verdicts)} fitted estimators and pipelines, answered by their library and, through the hub, by ONNX Runtime: {kinds(verdicts)}. Labels
are equal in every row; numbers agree to 1e-12 of the largest of their row in 64 bits, to 1e-6 in 32. The rows are those of training, others
around them and far off, and each threshold of a tree with the numbers beside it.

{rows(["estimator", "cases that pass", "what does not"], lines)}
"""


def torch_page() -> str:
    families = sorted(p.stem for p in (ROOT / "tests/cases/torch").glob("[a-z]*.py"))
    verdicts = {f"{family}:{line[:56].strip()}": line[56:].strip()  # names have spaces
                for family in families for line in (EXPECTED / f"torch-{family}.txt").read_text().splitlines() if line}
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in verdicts:
        family, _, rest = case.partition(":")
        groups[family][rest.partition("~")[0].partition("/")[0]].append(case)
    parts = []
    for family, names in sorted(groups.items()):
        lines = []
        for name, cases in sorted(names.items()):
            passed = sum(verdicts[c] == "pass" for c in cases)
            why = "; ".join(sorted({verdicts[c].removeprefix("unsupported: ").replace("|", "/") for c in cases
                                    if verdicts[c] != "pass"}))
            lines.append([f"`{name}`", f"{passed} of {len(cases)}", why])
        parts.append(f"### {family}\n\n{rows(['function or module', 'cases that pass', 'what does not'], lines)}\n")
    sys.path.insert(0, str(ROOT / "src"))
    from modelport.formats.torch.to_onnx import aten
    refusals = {"random", "packed", "iterated", "erfc", "ndtr", "gcd", "backward"}  # rules that say why there is none
    named = sorted({n.partition(".")[0] for n, rule in aten.items() if rule.__name__ not in refusals
                    and not n.startswith(("py.", "prims.", "complex.")) and "::" not in n})
    held = sorted({n.split(".")[1] for n in aten if n.startswith("complex.")})
    forms = {form: sum(v == "pass" for v in table(f"{form}-target.txt").values())
             for form in ("torch-source", "torch-script")}
    return f"""# PyTorch

Programs of `torch.export` (`.pt2`) and TorchScript are read; PyTorch is not needed, and nothing of a file is unpickled or run.
[Models, measured](../torch-models.md). Programs, TorchScript and source are [written](../torch.md).

Sizes that are dynamic stay so. Writes in place and views become what they compute. Higher-order operators: `cond`, `while_loop`,
`scan`, `map` and the blocks that only say how gradients are kept. Complex numbers are two tensors of reals, and an output that is
complex is one tensor with both along a new last axis. PT2E quantization becomes QuantizeLinear and DequantizeLinear.

## Reading, measured

{len(verdicts)} cases, exported or traced by PyTorch 2.13 and answered by it and, through the hub, by ONNX Runtime: {kinds(verdicts)}.
Each function and module is asked as a program of fixed sizes, as one whose sizes are dynamic at other sizes, and as TorchScript. Real
numbers agree to 1e-5 of the range, whole numbers and truth values exactly, quantized ones to one step where that is a tie. *refused* means that PyTorch does not export the case.

{chr(10).join(parts)}
{writing("torch", "as `.pt2` and run by PyTorch 2.13")}
As source {forms["torch-source"]:,} of the cases pass, as TorchScript {forms["torch-script"]:,}.

## Operators

{len(named)} operators of ATen have a translation (writes in place, such as `add_`, count with theirs): {", ".join(f"`{n}`" for n in named)}.

Of complex numbers: {", ".join(f"`{n}`" for n in held)}, and those that only move elements.
"""


def main() -> int:
    stale = []
    for name, make in (("onnx.md", onnx_page), ("tflite.md", tflite_page), ("keras.md", keras_page),
                       ("tensorflow.md", tensorflow_page), ("tfjs.md", tfjs_page), ("sklearn.md", sklearn_page),
                       ("torch.md", torch_page)):
        page = make()
        path = PAGES / name
        if not path.exists() or path.read_text() != page:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(page)
    print(f"stale: {', '.join(stale)}" if stale else "the support pages are up to date")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    raise SystemExit(main())
