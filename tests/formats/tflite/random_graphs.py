"""Random ONNX graphs of a few operators, of symbolic and static sizes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

SIZES = {"n": (2, 1, 3), "h": (6, 4, 7), "w": (5, 8, 4), "t": (3, 1, 5)}
"""The sizes of each symbolic dimension; the first is the one by which a graph is made."""
UNARY = ("Relu Sigmoid Tanh Neg Abs Exp Sqrt Floor Ceil Round Sign Erf LeakyRelu Elu HardSwish HardSigmoid Softplus "
         "Softsign Gelu Mish Selu Celu ThresholdedRelu Reciprocal Sin Cos Atan").split()
BINARY = "Add Sub Mul Div Max Min Add Mul".split()
REDUCE = "ReduceSum ReduceMean ReduceMax ReduceMin ReduceL2 ReduceL1 ReduceProd ReduceLogSumExp ReduceSumSquare".split()
F32, I64, I32, BOOL = map(np.dtype, ("f4", "i8", "i4", "?"))


def session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@dataclass
class Random:
    """A graph in the making: every value with what it holds at the first sizes."""

    rng: np.random.Generator
    values: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    count: int = 0

    def one(self, of: Sequence[Any]) -> Any:
        return of[int(self.rng.integers(len(of)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def const(self, array: Any, dtype: Any = None) -> str:
        name = self.name("c")
        self.constants[name] = np.asarray(array, dtype)
        return name

    def floats(self, *shape: int, scale: float = 0.5) -> np.ndarray:
        return (self.rng.normal(0, scale, shape)).astype(np.float32)

    def pick(self, kind: Any = F32, least: int = 0, most: int = 5) -> str | None:
        """A value of that type and rank, late ones rather than early ones."""
        found = [k for k, v in self.values.items() if v.dtype == kind and least <= v.ndim <= most and v.size < 5000]
        if not found:
            return None
        return str(found[-1 - min(int(self.rng.exponential(1.5)), len(found) - 1)])

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape

    def axis(self, name: str) -> int:
        n = self.values[name].ndim
        return int(self.rng.integers(-n, n)) if n else 0

    def add(self, op: str, ins: Sequence[str], outputs: int = 1, **attrs: Any) -> list[str]:
        """The node, if ONNX Runtime computes it and it is worth having."""
        outs = [self.name("v") for _ in range(outputs)]
        node = helper.make_node(op, list(ins), outs, **attrs)
        known = {k: self.values.get(k, self.constants.get(k)) for k in ins if k}
        infos = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
                 for k, v in known.items() if k in self.values]
        graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(o) for o in outs],
                                  [numpy_helper.from_array(v, k) for k, v in known.items() if k not in self.values])
        try:
            made = session(finished(graph)).run(None, {k: v for k, v in known.items() if k in self.values})
        except Exception:  # not what the operator takes
            return []
        if any(a.size > 20000 or a.ndim > 6 or (a.dtype.kind == "f" and (
                not np.isfinite(a).all() or np.abs(a).max(initial=0) > 1e4)) or
                (a.dtype.kind == "i" and a.size and abs(a.astype(float)).max() > 1e6) for a in made):
            return []
        self.nodes.append(node)
        self.values.update(zip(outs, made, strict=True))
        return outs

    def input(self, kind: Any, shape: tuple[Any, ...]) -> None:
        name = self.name("x")
        self.inputs[name] = shape
        self.values[name] = sample(self.rng, kind, [SIZES[d][0] if isinstance(d, str) else d for d in shape])


def sample(rng: np.random.Generator, kind: Any, shape: Sequence[int]) -> np.ndarray:
    if kind == F32:
        return rng.normal(0, 1, shape).astype(np.float32)
    return rng.integers(0, 2, shape).astype(bool) if kind == BOOL else rng.integers(-5, 6, shape).astype(kind)


def finished(graph: Any) -> bytes:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return bytes(made.SerializeToString())


def operand(g: Random, x: str) -> str:
    """Something that broadcasts with ``x``: a constant of any such shape, or a value."""
    kind, shape = g.values[x].dtype, list(g.shape(x))
    others = [k for k, v in g.values.items() if v.dtype == kind and k != x and v.shape == tuple(shape)]
    if others and g.chance(0.5):
        return str(g.one(others))
    if g.chance(0.2) and (y := g.pick(kind)):
        return y
    cut = shape[int(g.rng.integers(0, len(shape) + 1)):] if shape else []
    small = [1 if g.chance(0.4) else d for d in cut]
    return g.const(sample(g.rng, kind, small) if kind != F32 else g.floats(*small))


def unary(g: Random) -> None:
    if x := g.pick():
        g.add(g.one(UNARY), [x])


def binary(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, F32, I64, I32])):
        pair = [x, operand(g, x)]
        g.add(g.one(BINARY), pair if g.chance(0.7) else pair[::-1])


def compare(g: Random) -> None:
    if x := g.pick(g.one([F32, I64, I32])):
        made = g.add(g.one(["Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"]), [x, operand(g, x)])
        if made and g.chance(0.6):
            g.add("Where", [made[0], x, operand(g, x)])
        elif made and g.chance(0.5):
            g.add("Not", made)
        elif made:
            g.add("Cast", made, to=g.one([1, 6, 7]))


def reduce(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, F32, I64, I32])):
        n = len(g.shape(x))
        axes = sorted({g.axis(x) for _ in range(g.one([1, 1, 2, 3]))}) if n else []
        g.add(g.one(REDUCE), [x, *([g.const(axes, np.int64)] if axes or g.chance(0.5) else [])], keepdims=g.one([0, 1]),
              noop_with_empty_axes=g.one([0, 0, 1]))


def argmax(g: Random) -> None:
    if x := g.pick(least=1):
        g.add(g.one(["ArgMax", "ArgMin"]), [x], axis=g.axis(x), keepdims=g.one([0, 1]))


def softmax(g: Random) -> None:
    if x := g.pick(least=1):
        g.add(g.one(["Softmax", "LogSoftmax", "LpNormalization"]), [x], axis=g.axis(x))


def transpose(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, I64, BOOL]), 1):
        g.add("Transpose", [x], perm=[int(p) for p in g.rng.permutation(len(g.shape(x)))])


def reshape(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, I32, BOOL])):
        shape = g.shape(x)
        n = len(shape)
        how = g.one(range(6))
        if how == 0:
            g.add("Flatten", [x], axis=g.axis(x))
        elif how == 1:
            g.add("Unsqueeze", [x, g.const([g.axis(x) if n else 0], np.int64)])
        elif how == 2:
            ones = [k for k, d in enumerate(shape) if d == 1]
            if ones:
                g.add("Squeeze", [x, g.const([g.one(ones)], np.int64)])
        elif how == 3 and n:
            k = int(g.rng.integers(n))
            g.add("Reshape", [x, g.const([*([0] * k), -1, *([1] if g.chance(0.3) else [])], np.int64)])
        elif how == 4 and n > 1:  # by its own sizes, in another order
            s = g.add("Shape", [x])[0]
            order = g.rng.permutation(n).tolist()
            to = g.add("Gather", [s, g.const(order, np.int64)])
            g.add("Reshape", [x, *to])
        elif n > 1:
            s = g.add("Shape", [x], start=0, end=1)[0]
            to = g.add("Concat", [s, g.const([-1], np.int64)], axis=0)
            g.add("Reshape", [x, *to])


def slice_(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, I64, BOOL]), 1):
        axes = sorted({int(g.rng.integers(len(g.shape(x)))) for _ in range(g.one([1, 1, 2]))})
        starts = [int(g.one([0, 1, -1, -2, 2])) for _ in axes]
        steps = [int(g.one([1, 1, 1, 2, -1, -2])) for _ in axes]
        ends = [int(g.one([2, -1, 3, 1 << 40] if s > 0 else [0, -(1 << 40), -4])) for s in steps]
        ins = [g.const(v, np.int64) for v in (starts, ends, axes, steps)]
        g.add("Slice", [x, *ins])


def split(g: Random) -> None:
    if x := g.pick(least=1):
        axis = g.axis(x)
        d = g.shape(x)[axis]
        if d > 1:
            first = int(g.rng.integers(1, d))
            made = g.add("Split", [x, g.const([first, d - first], np.int64)], 2, axis=axis) if g.chance(0.6) else \
                g.add("Split", [x], 2, axis=axis, num_outputs=2)
            if made and g.chance(0.5):
                g.add("Concat", made[::-1], axis=axis)


def concat(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, I64, I32, BOOL]), 1):
        axis = g.axis(x)
        parts = [x] + [operand(g, x) for _ in range(g.one([1, 1, 2]))]
        g.add("Concat", parts, axis=axis)


def gather(g: Random) -> None:
    if x := g.pick(g.one([F32, F32, I64]), 1):
        axis = g.axis(x)
        d = g.shape(x)[axis]
        low = min(d, 2)
        index = g.const(g.rng.integers(-low if g.chance(0.3) else 0, low, g.one([(), (2,), (1,), (2, 3)])), np.int64)
        if g.chance(0.7):
            g.add("Gather", [x, index], axis=axis)
        else:
            shape = [min(2, k) for k in g.shape(x)]
            g.add("GatherElements", [x, g.const(g.rng.integers(0, low, shape), np.int64)], axis=axis)


def expand(g: Random) -> None:
    if x := g.pick(g.one([F32, I64, BOOL])):
        shape = g.shape(x)
        if g.chance(0.4) and shape:
            g.add("Tile", [x, g.const([int(g.one([1, 1, 2, 3])) for _ in shape], np.int64)])
        elif g.chance(0.5) and (y := g.pick(g.one([F32, I64]), 1)):
            g.add("Expand", [x, *g.add("Shape", [y])])
        else:
            to = [int(g.one([1, 2, 3])) if d == 1 else g.one([d, 1]) for d in (1, *shape)]
            g.add("Expand", [x, g.const(to, np.int64)])


def ranges(g: Random) -> None:
    if x := g.pick(F32, 1):
        s = g.add("Shape", [x])
        d = g.add("Gather", [*s, g.const(g.axis(x), np.int64)])
        if g.chance(0.3):
            d = g.add(g.one(["Add", "Mul", "Sub"]), [*d, g.const(int(g.one([1, 2])), np.int64)]) or d
        r = g.add("Range", [g.const(0, np.int64), *d, g.const(1, np.int64)])
        if r and g.chance(0.6):
            r = g.add("Cast", r, to=g.one([1, 6]))
            if g.chance(0.5):
                g.add("Unsqueeze", [*r, g.const([g.one([0, 1])], np.int64)])


def filled(g: Random) -> None:
    if x := g.pick(F32, 1):
        s = g.add("Shape", [x])
        how = g.one(["ConstantOfShape", "Size", "Cast", "Trilu", "CumSum", "TopK", "Clip", "Identity"])
        if how == "ConstantOfShape":
            g.add(how, s, value=helper.make_tensor("v", 1, [1], [0.5]))
        elif how == "Size":
            g.add(how, [x])
        elif how == "Cast":
            g.add(how, s, to=1)
        elif how == "CumSum":
            g.add(how, [x, g.const(g.axis(x), np.int64)], reverse=g.one([0, 1]), exclusive=g.one([0, 1]))
        elif how == "TopK":
            g.add(how, [x, g.const([1], np.int64)], 2, axis=g.axis(x), largest=g.one([0, 1]))
        elif how == "Clip":
            g.add(how, [x, g.const(-0.5, F32), *([g.const(0.7, F32)] if g.chance(0.7) else [])])
        elif how == "Identity":
            g.add(how, [x])
        else:
            g.add(how, [x], upper=g.one([0, 1]))


def matmul(g: Random) -> None:
    if x := g.pick(least=1):
        k = g.shape(x)[-1]
        n = int(g.one([1, 3, 4]))
        if g.chance(0.6):
            lead = g.one([(), (), (1,), g.shape(x)[:-2]])
            made = g.add("MatMul", [x, g.const(g.floats(*lead, k, n))])
        elif len(g.shape(x)) == 2 and g.chance(0.7):
            made = g.add("Gemm", [x, g.const(g.floats(n, k)), g.const(g.floats(g.one([1, n])))], transB=1,
                         alpha=g.one([1.0, 0.5]), beta=g.one([1.0, 2.0]))
        elif len(g.shape(x)) > 1:
            n = len(g.shape(x))
            t = g.add("Transpose", [x], perm=[*range(n - 2), n - 1, n - 2])
            made = g.add("MatMul", [x, *t])
        else:
            return
        if made and g.chance(0.5):
            g.add("Add", [*made, g.const(g.floats(g.shape(made[0])[-1] if g.shape(made[0]) else 1))])


def image(g: Random) -> None:
    x = g.pick(least=g.one([4, 4, 4, 3]), most=4)
    if not x:
        return
    shape = g.shape(x)
    space, c = len(shape) - 2, shape[1]
    how = g.one("conv conv conv depthwise transposed max avg global resize pad bn instance layer prelu d2s lrn".split())
    if how in ("conv", "depthwise", "transposed"):
        kernel = [int(g.one([1, 2, 3, 3])) for _ in range(space)]
        m = int(g.one([1, 2, 4]))
        w = g.floats(c, m, *kernel) if how == "transposed" else g.floats(c * m, 1, *kernel) if how == "depthwise" else \
            g.floats(m, c, *kernel)
        attrs: dict[str, Any] = {"strides": [int(g.one([1, 1, 2])) for _ in kernel], "kernel_shape": kernel,
                                 "group": c if how == "depthwise" else 1}
        if g.chance(0.5):
            attrs["pads"] = [int(g.one([0, 1])) for _ in range(2 * space)]
        elif g.chance(0.5) and how != "transposed":
            attrs["auto_pad"] = g.one(["SAME_UPPER", "SAME_LOWER", "VALID"])
        if g.chance(0.2) and how != "transposed":
            attrs["dilations"] = [2] * space
        out = w.shape[1] if how == "transposed" else w.shape[0]
        bias = [g.const(g.floats(out))] if g.chance(0.6) else []
        made = g.add("ConvTranspose" if how == "transposed" else "Conv", [x, g.const(w), *bias], **attrs)
        if made and g.chance(0.5):
            g.add(g.one(["Relu", "Sigmoid", "HardSwish"]), made)
        elif made and g.chance(0.5):
            g.add(g.one(["Add", "Mul"]), [*made, g.const(g.floats(1, out, *[1] * space))])
    elif how in ("max", "avg"):
        kernel = [int(g.one([1, 2, 3])) for _ in range(space)]
        attrs = {"kernel_shape": kernel, "strides": [int(g.one([1, 2])) for _ in kernel], "ceil_mode": g.one([0, 0, 1])}
        if g.chance(0.4):
            attrs["pads"] = [int(g.rng.integers(0, max(1, k))) for k in kernel * 2]
        if how == "avg":
            attrs["count_include_pad"] = g.one([0, 1])
        g.add("MaxPool" if how == "max" else "AveragePool", [x], **attrs)
    elif how == "global":
        g.add(g.one(["GlobalAveragePool", "GlobalMaxPool"]), [x])
    elif how == "resize":
        mode = g.one(["nearest", "linear"])
        scales = g.const([1, 1, *[float(g.one([2, 2, 0.5, 3])) for _ in range(space)]], F32)
        g.add("Resize", [x, "", scales], mode=mode, coordinate_transformation_mode=g.one(
            ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]),
            **({"nearest_mode": g.one(["floor", "round_prefer_floor"])} if mode == "nearest" else {}))
    elif how == "pad":
        pads = [0, 0, *[int(g.one([0, 1, 2])) for _ in range(space)], 0, 0, *[int(g.one([0, 1])) for _ in range(space)]]
        mode = g.one(["constant", "reflect", "edge"])
        fill = [g.const(0.25, F32)] if mode == "constant" and g.chance(0.5) else []
        g.add("Pad", [x, g.const(pads, np.int64), *fill], mode=mode)
    elif how == "bn":
        g.add("BatchNormalization", [x, *[g.const(g.floats(c)) for _ in range(3)], g.const(np.abs(g.floats(c)) + 0.5)])
    elif how == "instance":
        g.add("InstanceNormalization", [x, g.const(g.floats(c)), g.const(g.floats(c))])
    elif how == "layer":
        g.add("LayerNormalization", [x, g.const(g.floats(shape[-1])), g.const(g.floats(shape[-1]))])
    elif how == "prelu":
        g.add("PRelu", [x, g.const(g.floats(g.one([1, c]), *[1] * space))])
    elif how == "lrn":
        g.add("LRN", [x], size=3)
    elif c % 4 == 0 and space == 2:
        g.add("DepthToSpace", [x], blocksize=2, mode=g.one(["DCR", "CRD"]))


def qdq(g: Random) -> None:
    """A value as quantized numbers and back."""
    if x := g.pick():
        kind = g.one(["i1", "u1", "u1", "i2"])
        info = np.iinfo(kind)
        zero = (info.min + info.max + 1) // 2
        if g.chance(0.3) and kind != "i2":
            zero = int(g.rng.integers(info.min, info.max + 1))
        most = max(0.1, float(np.abs(g.values[x]).max(initial=0)))
        scale = np.float32(g.one([4.0, 2.0]) * most / (info.max - info.min))
        ins = [g.const(scale), g.const(zero, kind)]
        q = g.add("QuantizeLinear", [x, *ins])
        if q:
            g.add("DequantizeLinear", [*q, *ins])


def weighted(g: Random) -> None:
    """A quantized layer between quantized values."""
    qdq(g)
    x = next((k for k in reversed(g.values) if g.values[k].dtype == F32), None)
    if x is None or g.values[x].ndim not in (2, 4):
        return
    c = g.shape(x)[1]
    m, image_ = int(g.one([1, 3, 4])), g.values[x].ndim == 4
    shape = (m, c, 3, 3) if image_ else (c, m)
    channels = g.chance(0.5)
    axis = 0 if image_ else 1
    scale = (g.rng.uniform(0.005, 0.02, m) if channels else np.asarray(0.01)).astype(F32)
    w = g.const(g.rng.integers(-127, 128, shape), np.int8)
    name = g.name("v")
    zero, s = g.const(np.zeros(scale.shape, np.int8)), g.const(scale)
    g.nodes.append(helper.make_node("DequantizeLinear", [w, s, zero], [name], axis=axis))
    along = [1] * len(shape)
    along[axis] = -1
    weight = (g.constants[w] * scale.reshape(along if channels else ())).astype(F32)
    g.constants[name] = weight  # as a constant for the trial, made by its node in the graph
    g.add("Conv" if image_ else "MatMul", [x, name], **({"kernel_shape": [3, 3]} if image_ else {}))
    del g.constants[name]
    if g.chance(0.5):
        unary(g)
    qdq(g)


def scattered(g: Random) -> None:
    """Indices and masks."""
    if x := g.pick(g.one([F32, F32, I64]), 1):
        shape, kind = g.shape(x), g.values[x].dtype
        how = g.one("ScatterElements ScatterND GatherND OneHot NonZero Compress CumSum Trilu Mod Pow IsNaN".split())
        if how == "ScatterElements":
            axis = g.axis(x)
            some = [1 if k == axis % len(shape) else min(2, d) for k, d in enumerate(shape)]
            where = g.const(g.rng.integers(0, shape[axis], some), np.int64)
            new = g.const(sample(g.rng, kind, some))
            g.add(how, [x, where, new], axis=axis, reduction=g.one(["none", "add", "max"]))
        elif how == "ScatterND":
            where = np.zeros((1, g.one(range(1, len(shape) + 1))), np.int64)
            rest = sample(g.rng, kind, [1, *shape[where.shape[1]:]])
            g.add(how, [x, g.const(where), g.const(rest)], reduction=g.one(["none", "add", "mul"]))
        elif how == "GatherND":
            g.add(how, [x, g.const(g.rng.integers(0, 1, (2, g.one(range(1, len(shape) + 1)))), np.int64)])
        elif how == "OneHot" and kind == I64:
            g.add(how, [x, g.const(4, np.int64), g.const([0.5, 2], F32)], axis=g.one([-1, 0]))
        elif how == "NonZero":
            g.add(how, [x])
        elif how == "Compress":
            axis = g.axis(x)
            g.add(how, [x, g.const(g.rng.integers(0, 2, 1) > 0)], axis=axis)
        elif how == "CumSum":
            g.add(how, [x, g.const(g.axis(x), np.int64)], exclusive=g.one([0, 1]), reverse=g.one([0, 1]))
        elif how == "Mod":
            g.add(how, [x, g.const(g.one([3, -4, 2]), kind)], fmod=int(kind == F32) or g.one([0, 1]))
        elif how == "Pow":
            g.add(how, [x, g.const(g.one([2, 3, 1, 0, 0.5]), F32)])
        elif how == "IsNaN":
            g.add(how, [x])
        elif how == "Trilu":
            g.add(how, [x], upper=g.one([0, 1]))


def normal(g: Random) -> None:
    """Normalisations and products of several kinds."""
    if x := g.pick(least=2):
        shape = g.shape(x)
        how = g.one("LayerNormalization GroupNormalization MeanVarianceNormalization Einsum Hardmax LpNormalization "
                    "InstanceNormalization Dropout".split())
        if how == "LayerNormalization":
            axis = g.axis(x)
            rest = shape[axis:] if axis >= 0 else shape[len(shape) + axis:]
            made = [g.const(g.floats(*rest)), *([g.const(g.floats(*rest))] if g.chance(0.6) else [])]
            g.add(how, [x, *made], axis=axis)
        elif how == "InstanceNormalization" and len(shape) > 2:
            g.add(how, [x, g.const(g.floats(shape[1])), g.const(g.floats(shape[1]))])
        elif how == "MeanVarianceNormalization" and len(shape) > 2:
            g.add(how, [x], axes=g.one([[0, 2], [1], [0, 1]]))
        elif how == "Einsum":
            letters = "abcdef"[:len(shape)]
            g.add(how, [x, x], equation=f"{letters},{letters}->" + letters[:int(g.rng.integers(0, len(shape)))])
        elif how in ("Hardmax", "LpNormalization"):
            g.add(how, [x], axis=g.axis(x))
        elif how == "Dropout":
            g.add(how, [x])


GENERAL = [unary, binary, binary, compare, reduce, argmax, softmax, transpose, reshape, reshape, slice_, split, concat,
           gather, expand, ranges, filled, matmul, qdq, scattered, normal]
IMAGE = [image, image, image, image, image, transpose, reshape, binary, concat, split, slice_, reduce, qdq, unary,
         weighted, normal, scattered]


def graph_of(seed: int) -> tuple[bytes, Random, list[str]]:
    """The model of a seed, and its outputs."""
    rng = np.random.default_rng(seed)
    g = Random(rng)
    images = g.chance(0.5)
    symbolic = g.chance(0.5)

    def dim(symbol: str, n: int) -> int | str:
        return symbol if symbolic and g.chance(0.6) else n
    if images:
        c = int(g.one([1, 3, 4]))
        size = [dim("n", 2), c, dim("h", 6), dim("w", 5)]
        if g.chance(0.1):
            size = [4, 4, 4, 4]
        elif g.chance(0.15):
            size = [size[0], c, size[2]]
        g.input(F32, tuple(size))
        if g.chance(0.3):
            g.input(F32, tuple(size))
    else:
        n = int(g.rng.integers(0, 6))
        size = [dim("n", 2), dim("t", 3), *[int(g.one([1, 2, 4])) for _ in range(3)]][:n]
        g.input(F32, tuple(size))
        if g.chance(0.4):
            g.input(g.one([I64, I32, BOOL, F32]), tuple(size))
        if g.chance(0.3):
            g.input(F32, tuple(size[-1:]))
    wanted = int(g.rng.integers(2, 9))
    for _ in range(30):
        if len(g.nodes) >= wanted:
            break
        g.one(IMAGE if images else GENERAL)(g)
    used = {k for n in g.nodes for k in n.input}
    ends = [k for k in g.values if k not in used and k not in g.inputs]
    if g.chance(0.25):
        ends += [k for k in g.values if k not in ends and k not in g.inputs and g.chance(0.3)]
    if g.chance(0.05):
        ends += list(g.inputs)[:1]
    return model_of(g, ends), g, ends


def model_of(g: Random, ends: Sequence[str]) -> bytes:
    """The nodes that these values need, as a model."""
    need, nodes = set(ends), []
    for n in reversed(g.nodes):
        if need & set(n.output):
            need |= set(n.input)
            nodes.append(n)
    infos = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(g.values[k].dtype), list(shape))
             for k, shape in g.inputs.items()]
    said = {i.name: i for i in infos}
    outs = [said.get(k) or helper.make_empty_tensor_value_info(k) for k in ends]
    return finished(helper.make_graph(nodes[::-1], "g", infos, outs,
                                      [numpy_helper.from_array(v, k) for k, v in g.constants.items() if k in need]))


def text(model: bytes) -> str:
    """A model as a few lines to read."""
    m = onnx.load_from_string(model)
    consts = {t.name: numpy_helper.to_array(t) for t in m.graph.initializer}

    def show(k: str) -> str:
        if k not in consts:
            return k
        v = consts[k]
        return f"{k}:{v.dtype}{v.tolist() if v.size < 9 else list(v.shape)}"
    lines = [", ".join(f"{i.name} {i.type.tensor_type.elem_type}[" + ",".join(
        d.dim_param or str(d.dim_value) for d in i.type.tensor_type.shape.dim) + "]" for i in m.graph.input)]
    for n in m.graph.node:
        attrs = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        lines.append(f"  {', '.join(n.output)} = {n.op_type}({', '.join(map(show, n.input))}) {attrs or ''}")
    return "\n".join([*lines, "  -> " + ", ".join(o.name for o in m.graph.output)])
