"""Old forms of the layers of neural networks."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import Tensor
from .shape import ALWAYS, ints
from .table import below

Ints = tuple[int, ...]


@below(6, "BatchNormalization")
@below(7, "BatchNormalization")
def batch_normalization_6(op: Builder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *,
                          epsilon: float = 1e-5, momentum: float = 0.9, is_test: int = 0, spatial: int = 1,
                          consumed_inputs: Ints = ()) -> Value:
    """One output was the sign of inference; a model with ``is_test`` 0 is taken at inference."""
    if not is_test:
        op.note("changed", "BatchNormalization in training mode is converted for inference")
    return batch_normalization_7(op, x, scale, b, mean, var, epsilon=epsilon, spatial=spatial)


@below(9, "BatchNormalization")
def batch_normalization_7(op: Builder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *,
                          epsilon: float = 1e-5, momentum: float = 0.9, spatial: int = 1) -> Value:
    """Without ``spatial`` each element of a sample has statistics of its own."""
    if spatial or x.rank == 2:
        made: Value = op.BatchNormalization(x, scale, b, mean, var, epsilon=epsilon)
    else:
        spread = op.Sqrt(op.Add(var, np.array(epsilon, x.dtype)))
        made = op.Add(op.Mul(op.Div(op.Sub(x, mean), spread), scale), b)
    return made


@below(14, "BatchNormalization")
def batch_normalization_9(op: Builder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *,
                          epsilon: float = 1e-5, momentum: float = 0.9) -> Value:
    made: Value = op.BatchNormalization(x, scale, b, mean, var, epsilon=epsilon)
    return made


@below(ALWAYS, "BatchNormalization")
def batch_normalization_15(op: Builder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *,
                           epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0) -> Value:
    """``momentum`` is for training only."""
    if training_mode:
        raise Unsupported("training mode is not supported")
    return batch_normalization_9(op, x, scale, b, mean, var, epsilon=epsilon)


@below(6, "InstanceNormalization")
def instance_normalization(op: Builder, x: Value, scale: Value, b: Value, *, epsilon: float = 1e-5,
                           consumed_inputs: Ints = ()) -> Value:
    made: Value = op.InstanceNormalization(x, scale, b, epsilon=epsilon)
    return made


@below(6, "Dropout")
@below(7, "Dropout")
@below(10, "Dropout")
@below(12, "Dropout")
def dropout_1(op: Builder, x: Value, *, ratio: float = 0.5, is_test: int = 0, consumed_inputs: Ints = ()) -> Value:
    """Nothing is dropped at inference."""
    return x


@below(ALWAYS, "Dropout")
def dropout_12(op: Builder, x: Value, ratio: Value | None = None, training_mode: Value | None = None, *,
               seed: int = 0) -> Any:
    """The input itself at inference, and a mask that lets everything pass."""
    if training_mode is not None and static(training_mode, "training_mode").any() \
            and (ratio is None or static(ratio, "the ratio").any()):
        raise Unsupported("training mode is not supported")
    assert op.node is not None
    if len(op.node.outputs) == 1:
        return x
    return x, op.ConstantOfShape(op.Shape(x), value=Tensor(np.ones(1, bool)))


@below(7, "Gemm")
def gemm(op: Builder, a: Value, b: Value, c: Value, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0,
         transB: int = 0, broadcast: int = 0) -> Value:
    """``c`` always fits by its last dimensions."""
    made: Value = op.Gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    return made


@below(2, "LpPool", "GlobalLpPool")
def lp_pool(op: Builder, x: Value, *, p: float = 2.0, **attrs: Any) -> Value:
    """``p`` was a float."""
    assert op.node is not None
    if p != int(p):
        raise Unsupported(f"p = {p}")
    made: Value = op.add(op.node.op, x, p=int(p), **attrs)
    return made


@below(3, "GRU")
@below(7, "RNN", "GRU", "LSTM")
def recurrent(op: Builder, *inputs: Value | None, output_sequence: int = 0, **attrs: Any) -> Any:
    """``output_sequence`` said whether the first output is wanted."""
    assert op.node is not None
    if attrs.get("direction") == "foward":  # the default of GRU-1, as it was spelled
        attrs["direction"] = "forward"
    return op.add(op.node.op, *inputs, outputs=len(op.node.outputs), **attrs)


@below(21, "GroupNormalization")
def group_normalization(op: Builder, x: Value, scale: Value, bias: Value, *, num_groups: int,
                        epsilon: float = 1e-5) -> Value:
    """Scale and bias were one for each group, not for each channel."""
    channels = None if x.shape is None else x.shape[1]
    if not isinstance(channels, int):
        raise Unsupported("an unknown number of channels")
    each = channels // max(1, num_groups)

    def spread(v: Value) -> Value:
        if v.data is not None:
            return constant(np.repeat(v.numpy(), each))
        made: Value = op.Reshape(op.Expand(op.Unsqueeze(v, ints((1,))), ints((num_groups, each))), ints((-1,)))
        return made
    made: Value = op.GroupNormalization(x, spread(scale), spread(bias), num_groups=num_groups, epsilon=epsilon)
    return made


@below(16, "RoiAlign")
def roi_align(op: Builder, x: Value, rois: Value, batch: Value, **attrs: Any) -> Value:
    """Coordinates were not moved by half a pixel."""
    made: Value = op.RoiAlign(x, rois, batch, coordinate_transformation_mode="output_half_pixel", **attrs)
    return made


@below(20, "GridSample")
def grid_sample(op: Builder, x: Value, grid: Value, *, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: int = 0) -> Value:
    """The modes were named for images."""
    names = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
    if mode not in names:
        raise Unsupported(f"mode '{mode}'")
    made: Value = op.GridSample(x, grid, mode=names[mode], padding_mode=padding_mode, align_corners=align_corners)
    return made


@below(20, "DFT")
def dft(op: Builder, x: Value, length: Value | None = None, *, axis: int = 1, inverse: int = 0,
        onesided: int = 0) -> Value:
    """The axis was an attribute."""
    made: Value = op.DFT(x, length, constant(np.array(axis, np.int64)), inverse=inverse, onesided=onesided)
    return made


