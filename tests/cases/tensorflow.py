"""The cases of TensorFlow's operators, a line each (see :mod:`.tensorflow_case`)."""
from __future__ import annotations

import numpy as np

from .tensorflow_case import CASES, Case, add, given, text

R = np.random.default_rng(7)
F, D, H, I, L, B, U = (np.dtype(t) for t in ("f4", "f8", "f2", "i4", "i8", "?", "u1"))


def f(*shape: int, scale: float = 1.0, dtype: object = F) -> np.ndarray:
    return (R.standard_normal(shape) * scale).astype(dtype)  # type: ignore[call-overload]


def g(*shape: int, scale: float = 1.0, dtype: object = F):
    return given(f(*shape, scale=scale, dtype=dtype))


def i(*values: int, dtype: object = I) -> np.ndarray:
    return np.array(values, dtype)  # type: ignore[call-overload]


EDGE = np.array([0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.5, 1, -1, 3, -3, 6, 6.5, 20, 88, -88, 1e-6, 1e10, np.inf, -np.inf, np.nan], F)
SOME = np.array([0, -0.0, 0.25, -0.5, 1.5, 2.5, -1.5, 0.1, -1e-3, 3, -3, 1e-6, 5], F)
UNIT = np.array([0, -0.0, 0.25, -0.5, 0.75, 0.1, -1e-3, 0.99, -0.99, 1e-6], F)
POS = np.array([0.1, 0.5, 1, 1.5, 2.5, 7, 20, 1e-3], F)
for op in "Abs Neg Floor Ceil Round Rint Sign Relu Relu6 Elu Selu Sigmoid Tanh Softplus Softsign Square IsNan IsInf IsFinite Exp Atan Sin Cos Erf OnesLike ZerosLike Identity StopGradient LeakyRelu L2Loss Reciprocal Inv Erfc Expm1 Asinh".split():
    x = SOME if op in ("Exp", "Sin", "Cos", "L2Loss", "Erfc", "Expm1", "Softplus", "Selu", "Elu", "Inv", "Reciprocal", "Square", "Asinh") else EDGE
    add(f"{op}/edge", given(x))
for op in "Asin Acos Atanh Tan".split():
    add(f"{op}/unit", given(UNIT))
for op in "Log Sqrt Rsqrt Log1p Lgamma Digamma Acosh".split():
    add(f"{op}/positive", given(POS if op != "Acosh" else POS + 1))
for op in "Sinh Cosh Erfinv".split():
    add(f"{op}/some", given(SOME if op != "Erfinv" else UNIT))
add("Log1p/small", given(np.array([1e-7, 1e-10, -1e-5, 0, 0.5, 1e20], F)))
add("Expm1/small", given(np.array([1e-7, 1e-10, -1e-5, 0, 0.5, -50, 50], F)))
for op in "Abs Neg Square Sign".split():
    add(f"{op}/int32", given(i(0, 3, -7, 2**30)))
add("LogicalNot", given(np.array([True, False])))
add("Invert/int32", given(i(0, 5, -1)))
add("Invert/uint8", given(i(0, 5, 255, dtype=U)))
for op in "Add AddV2 Sub Mul RealDiv Maximum Minimum SquaredDifference Less LessEqual Greater GreaterEqual Equal NotEqual".split():
    add(f"{op}/broadcast", g(2, 3, 1), g(3, 4))
    if op != "RealDiv":
        add(f"{op}/int32", given(i(1, -2, 3)), given(i(2, -2, -3)))
for op in "DivNoNan Xdivy Xlogy Xlog1py MulNoNan".split():
    add(f"{op}/zeros", given(np.array([1, 0, 2, 0, -1], F)), given(np.array([2, 0, 0, 3, 1], F) if op != "MulNoNan" else np.array([2, 0, 0, 3, -1], F)))
for op in "FloorDiv FloorMod Mod TruncateDiv TruncateMod Div".split():
    add(f"{op}/int32", given(i(7, -7, 7, -7, 6, -6)), given(i(3, 3, -3, -3, 3, 3)))
for op in "FloorDiv FloorMod Mod Div".split():
    add(f"{op}/float", given(np.array([7.5, -7.5, 7.5, -7.5, 6], F)), given(np.array([2, 2, -2, -2, 3], F)))
add("Pow/float", given(np.array([1, 2, 0.5, 3, 0], F)), given(np.array([2, -1, 0.5, 0, 2], F)))
add("Pow/int32", given(i(2, 3, -2)), given(i(3, 2, 3)))
add("Atan2", given(np.array([0, 1, -1, 0, 2, -2], F)), given(np.array([1, 0, 0, -1, -2, -2], F)))
for op in "LogicalAnd LogicalOr".split():
    add(op, given(np.array([True, True, False, False])), given(np.array([True, False, True, False])))
for op in "BitwiseAnd BitwiseOr BitwiseXor".split():
    add(op, given(i(12, -5, 7)), given(i(10, 3, 1)))
add("LeftShift", given(i(1, -3, 5)), given(i(3, 2, 0)))
add("RightShift", given(i(16, -16, 5)), given(i(3, 2, 0)))
add("RightShift/uint8", given(i(16, 255, dtype=U)), given(i(3, 2, dtype=U)))
add("AddN", [g(2, 3), g(2, 3), g(2, 3)])
add("Add/text", given(text(["a", "bé"])), text(["x", "y"]))
add("Cast/trunc", given(np.array([1.9, -1.9, 0.5, -0.5, 100.0], F)), DstT=I)
add("Cast/bool", given(np.array([0, 0.1, -1], F)), DstT=B)
add("Cast/to_float", given(i(3, -4)), DstT=F)
add("Cast/half", given(SOME), DstT=H)
add("Bitcast", given(SOME), type=I)
add("ClipByValue", given(EDGE[:-1]), np.float32(-1), np.float32(2))
add("BiasAdd", g(2, 3, 4), f(4))
add("BiasAdd/nchw", given(f(2, 4, 3, 3), static=True), f(4), data_format="NCHW")
add("Select/rows", given(np.array([True, False])), g(2, 3), g(2, 3))
add("SelectV2", given(np.array([[True], [False]])), g(2, 3), g(3))
add("ApproximateEqual", given(np.array([1, 2], F)), given(np.array([1.05, 2.5], F)), tolerance=0.1)
add("Bucketize", given(np.array([-5, 0, 3.5, 10, 100], F)), boundaries=[0.0, 10.0, 100.0])
add("Range/int", i(2)[0], given(i(9)[0]), i(3)[0])
add("Range/float", np.float32(0), given(np.float32(1)), np.float32(0.25))
add("LinSpace", np.float32(2), given(np.float32(5)), i(7)[0])
add("Cross", g(2, 3), g(2, 3))
add("Bincount", given(i(1, 2, 2, 5, 9)), i(6)[0], np.zeros(0, F))
add("DenseBincount", given(np.array([[1, 2, 2], [0, 5, 5]], I), static=True), i(6)[0], np.zeros(0, F))
add("DenseBincount/binary", given(np.array([[1, 2, 2], [0, 5, 5]], I), static=True), i(6)[0], np.zeros(0, F), binary_output=True)
add("HistogramFixedWidth", given(np.array([-1, 0, 1.5, 2, 5, 15], F)), np.array([0, 5], F), i(5)[0])
add("Zeta", given(np.array([2, 3.5, 1.5], F)), given(np.array([1, 2.5, 0.7], F)))
add("Polygamma", given(np.array([0, 1, 2, 3], F)), given(np.array([1, 2.5, 0.7, 4], F)))
add("Igamma", given(np.array([0.5, 1, 2.5, 10, 3], F)), given(np.array([0.1, 1, 2, 12, 0], F)))
add("Igammac", given(np.array([0.5, 1, 2.5, 10, 3], F)), given(np.array([0.1, 1, 2, 12, 0], F)))
add("Betainc", given(np.array([0.5, 2, 5, 1, 30], F)), given(np.array([0.5, 3, 1, 1, 40], F)), given(np.array([0.3, 0.9, 0.5, 0, 0.4], F)))
# reductions
for op in "Sum Mean Prod Max Min EuclideanNorm".split():
    add(f"{op}/axis", g(2, 3, 4), i(1))
    add(f"{op}/negative_keep", g(2, 3, 4), i(-1, 0), keep_dims=True)
    add(f"{op}/none", g(2, 3), i())
    if op != "EuclideanNorm":
        add(f"{op}/int32", given(np.array([[1, -2, 4], [7, 2, -5]], I)), i(0))
add("Mean/int_truncates", given(np.array([[-7, 0], [1, 1]], I)), i(1))
for op in "All Any".split():
    add(op, given(np.array([[True, False], [True, True]])), i(1))
for op in "ArgMax ArgMin".split():
    add(op, given(np.array([[1, 3, 3], [2, 0, 0]], F)), i(1)[0])
    add(f"{op}/int32", given(np.array([[1, 3, 3], [2, 0, 0]], I)), i(0)[0], output_type=I)
for k, (e, r) in enumerate([(False, False), (True, False), (False, True), (True, True)]):
    add(f"Cumsum/{k}", g(2, 4), i(1)[0], exclusive=e, reverse=r)
    add(f"Cumprod/{k}", g(2, 4), i(-1)[0], exclusive=e, reverse=r)
add("CumulativeLogsumexp", g(2, 4), i(1)[0])
add("TopKV2", g(3, 6), i(3)[0])
add("TopKV2/ties", given(np.array([[1, 3, 3, 2, 3]], F)), i(3)[0])
add("TopKV2/int32", given(np.array([[1, 3, -3, 2]], I)), i(2)[0])
add("NthElement", g(2, 5), i(2)[0])
add("NthElement/reverse", g(2, 5), i(1)[0], reverse=True)
add("Unique", given(np.array([4, 2, 4, 1, 2], F)))
add("UniqueWithCounts", given(i(4, 2, 4, 1, 2)))
add("ListDiff", given(i(1, 2, 3, 4, 5)), given(i(2, 4)))
add("InvertPermutation", given(i(2, 0, 1, 3)))
add("LowerBound", given(np.array([[1, 3, 5], [2, 2, 8]], F)), given(np.array([[3, 4], [2, 9]], F)))
add("UpperBound", given(np.array([[1, 3, 5], [2, 2, 8]], F)), given(np.array([[3, 4], [2, 9]], F)))
add("InTopKV2", g(3, 5), given(i(0, 2, 4)), i(2)[0])
for op in "Sum Prod Max Min".split():
    add(f"UnsortedSegment{op}", g(4, 2), given(i(0, 2, -1, 0)), i(4)[0])
    add(f"Segment{op}", g(4, 2), given(i(0, 0, 2, 2)))
add("SegmentMean", g(4, 2), given(i(0, 0, 1, 3)))
for op in "Sum Mean SqrtN".split():
    add(f"SparseSegment{op}", g(5, 2), given(i(0, 2, 4, 1)), given(i(0, 0, 1, 3)))
    add(f"SparseSegment{op}WithNumSegments", g(5, 2), given(i(0, 2, 4, 1)), given(i(0, 0, 1, 3)), i(5)[0])
# shapes
add("Reshape/minus", g(2, 3, 4), i(-1, 4))
add("Reshape/run_time", g(2, 6), given(i(3, 4)))
add("Transpose", g(2, 3, 4), i(2, 0, 1))
add("ExpandDims", g(2, 3), i(-1)[0])
add("Squeeze/all", given(f(2, 1, 3, 1), static=True))
add("Squeeze/one", g(2, 1, 3), squeeze_dims=[1])
add("ConcatV2", [g(2, 3), g(2, 2)], i(1)[0])
add("ConcatV2/negative", [g(2, 3), g(2, 2)], i(-1)[0])
add("Concat", i(0)[0], [g(2, 3), g(1, 3)])
add("ConcatOffset", i(1)[0], [given(i(2, 3), static=True), given(i(2, 5), static=True)])
add("Pack", [g(2, 3), g(2, 3)], axis=1)
add("Unpack", given(f(3, 2), static=True), num=3)
add("Unpack/last", g(2, 3), num=3, axis=-1)
add("Split", i(1)[0], g(2, 6), num_split=3)
add("SplitV", g(2, 6), i(1, 2, 3), i(1)[0], num_split=3)
add("SplitV/rest", g(2, 6), i(1, -1), i(1)[0], num_split=2)
add("Slice", g(4, 5), i(1, 2), i(2, -1))
add("StridedSlice/plain", g(4, 5), i(1, 0), i(3, 5), i(1, 2))
add("StridedSlice/reverse", g(4, 5), i(3, 0), i(0, 0), i(-1, 1), end_mask=3, begin_mask=2)
add("StridedSlice/shrink", g(4, 5), i(-1, 1), i(0, 3), i(1, 1), shrink_axis_mask=1)
add("StridedSlice/ellipsis", g(4, 5, 3), i(0, 1), i(0, 2), i(1, 1), ellipsis_mask=1)
add("StridedSlice/new", g(4, 5), i(0, 0, 1), i(0, 0, 3), i(1, 1, 1), new_axis_mask=1, begin_mask=2, end_mask=2)
add("StridedSlice/run_time", g(4, 5), given(i(1, 0)), given(i(3, 2)), i(1, 1))
add("Pad", g(2, 3), np.array([[1, 0], [2, 1]], I))
add("PadV2", g(2, 3), np.array([[1, 0], [2, 1]], I), np.float32(7))
for mode in ("REFLECT", "SYMMETRIC"):
    add(f"MirrorPad/{mode}", g(3, 4), np.array([[1, 2], [2, 1]], I), mode=mode)
add("Tile", g(2, 3), i(2, 1))
add("BroadcastTo", g(3, 1), i(2, 3, 4))
add("BroadcastArgs", given(i(2, 1, 3), static=True), given(i(4, 1), static=True))
add("Shape", g(2, 3))
add("ShapeN", [g(2, 3), g(4)])
add("Size", g(2, 3))
add("Rank", g(2, 3))
add("Fill", given(i(2, 3)), np.float32(5))
add("ReverseV2", g(2, 3, 4), i(0, -1))
add("ReverseSequence", g(2, 4), given(i(2, 4)), seq_dim=1)
add("ReverseSequence/time", g(4, 2), given(i(2, 4)), seq_dim=0, batch_dim=1)
add("Roll", given(f(4, 5), static=True), i(1, -2), i(0, 1))
add("Roll/run_time", g(4, 5), i(7)[0], i(1)[0])
for op in ("SpaceToDepth", "DepthToSpace"):
    add(op, given(f(1, 4, 4, 8), static=True), block_size=2)
add("SpaceToBatchND", given(f(1, 4, 6, 2), static=True), i(2, 2), np.array([[0, 0], [2, 0]], I))
add("SpaceToBatchND/run_time", g(2, 4, 6, 2), i(2, 2), np.array([[1, 1], [0, 0]], I))
add("BatchToSpaceND", given(f(4, 2, 3, 2), static=True), i(2, 2), np.array([[0, 1], [1, 0]], I))
add("BatchToSpaceND/one", given(f(4, 3, 2), static=True), i(2), np.array([[0, 1]], I))
add("SpaceToBatchND/uneven_run_time", g(2, 4, 6, 2), i(2, 3), np.array([[1, 1], [0, 0]], I))
add("BatchToSpaceND/uneven_run_time", g(6, 2, 3, 2), i(2, 3), np.array([[0, 1], [1, 0]], I))
add("BatchToSpaceND/crops_run_time", g(6, 2, 3, 2), i(2, 3), given(np.array([[0, 1], [1, 0]], I), static=True))
# gathering
add("Gather", g(5, 3), given(i(0, 4, 2)))
add("GatherV2", g(4, 5), given(np.array([[0, 4], [2, 1]], I)), i(1)[0])
add("GatherV2/batch", g(2, 5, 3), given(np.array([[0, 4], [2, 1]], I)), i(1)[0], batch_dims=1)
add("GatherNd", g(3, 4), given(np.array([[0, 1], [2, 3]], I)))
add("GatherNd/rows", g(3, 4), given(np.array([[2], [0]], I)))
add("ScatterNd", given(np.array([[1], [3], [1]], I)), g(3, 2), i(5, 2))
for op in "Update Add Sub Min Max".split():
    add(f"TensorScatter{op}", g(4, 2), given(np.array([[1], [3]], I)), g(2, 2))
add("TensorStridedSliceUpdate", given(f(4, 5), static=True), i(1, 0), i(3, 2), i(1, 1), g(2, 2))
add("OneHot", given(i(0, 2, -1, 3)), i(3)[0], np.float32(5), np.float32(-1))
add("OneHot/axis", given(np.array([[0, 2]], I)), i(3)[0], np.float32(1), np.float32(0), axis=0)
add("Where", given(np.array([[True, False], [True, True]])))
add("Where/float", given(np.array([[0, 2.0], [1, 0]], F)))
add("MatrixDiag", given(f(2, 3), static=True))
add("MatrixDiagPart", given(f(2, 3, 4), static=True))
add("MatrixSetDiag", given(f(2, 3, 4), static=True), given(f(2, 3), static=True))
add("Diag", given(f(3), static=True))
add("DiagPart", given(f(3, 3), static=True))
for k in ((0, 0), (-1, 1), (1, 2)):
    n, w = k[1] - k[0] + 1, 3
    add(f"MatrixDiagPartV3/{k[0]}_{k[1]}", given(f(2, 3, 4), static=True), i(*k), np.float32(9))
    d = f(2, n, w) if n > 1 else f(2, w)
    add(f"MatrixSetDiagV3/{k[0]}_{k[1]}", given(f(2, 3, 4), static=True), given(d, static=True), i(*k))
add("MatrixDiagV3", given(f(2, 3), static=True), i(0), i(-1)[0], i(-1)[0], np.float32(7))
add("MatrixBandPart", g(2, 4, 4), i(1, dtype=L)[0], i(-1, dtype=L)[0])
add("SparseToDense", given(np.array([[0, 1], [2, 0]], I)), i(3, 3), given(f(2)), np.float32(-1))
add("SparseTensorDenseMatMul", given(np.array([[0, 1], [2, 0]], L)), given(f(2)), i(3, 3, dtype=L), g(3, 2))
add("SparseReshape", given(np.array([[0, 1], [2, 0]], L), static=True), given(i(3, 4, dtype=L), static=True), i(2, -1, dtype=L))
add("SparseFillEmptyRows", given(np.array([[0, 1], [0, 2], [2, 0]], L), static=True), given(f(3)), given(i(4, 3, dtype=L)), np.float32(9))
add("DynamicPartition", g(4, 2), given(i(0, 1, 0, 2)), num_partitions=3)
add("DynamicStitch", [given(i(0, 2)), given(i(1, 3))], [g(2, 3), g(2, 3)])
add("RaggedTensorToTensor/rows", i(-1)[0], given(f(4)), np.float32(0), [given(i(3)[0]), given(i(0, 0, 2, 2))], row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"])
add("RaggedTensorToTensor/splits", i(-1, 3), given(f(4)), np.float32(7), [given(i(0, 2, 2, 4))], row_partition_types=["ROW_SPLITS"])
# products
add("MatMul", g(2, 3), f(3, 4))
add("MatMul/transposed", g(3, 2), f(4, 3), transpose_a=True, transpose_b=True)
add("BatchMatMulV2", g(2, 3, 4), g(4, 5))
add("BatchMatMulV2/adjoint", g(2, 4, 3), g(2, 5, 4), adj_x=True, adj_y=True)
add("BatchMatMul", g(2, 3, 4), g(2, 4, 5))
add("BatchMatMulV3", g(2, 3, 4), g(2, 4, 5), Tout=F)
add("Einsum", [g(2, 3, 4), f(4, 5)], equation="abc,cd->abd")
add("Einsum/ellipsis", [g(2, 3, 4), g(2, 4, 5)], equation="...ij,...jk->...ik")
add("MatrixInverse/2", given(f(2, 2, 2), static=True))
add("MatrixInverse/3", given(f(2, 3, 3), static=True))
add("MatrixDeterminant", given(f(2, 3, 3), static=True))
# windows
for pad in ("SAME", "VALID"):
    for s in (1, 2):
        add(f"Conv2D/{pad}_{s}", given(f(2, 7, 6, 3), static=True), f(3, 2, 3, 4), strides=[1, s, s, 1], padding=pad)
        add(f"DepthwiseConv2dNative/{pad}_{s}", given(f(2, 7, 6, 3), static=True), f(3, 3, 3, 2), strides=[1, s, s, 1], padding=pad)
        add(f"MaxPool/{pad}_{s}", given(f(2, 7, 6, 3), static=True), ksize=[1, 3, 2, 1], strides=[1, s, s, 1], padding=pad)
        add(f"AvgPool/{pad}_{s}", given(f(2, 7, 6, 3), static=True), ksize=[1, 3, 2, 1], strides=[1, s, s, 1], padding=pad)
    add(f"Conv2D/{pad}_run_time", g(2, 7, 6, 3), f(3, 2, 3, 4), strides=[1, 2, 2, 1], padding=pad)
    add(f"Conv2D/{pad}_dilated", given(f(1, 9, 8, 2), static=True), f(3, 3, 2, 2), strides=[1, 1, 1, 1], padding=pad, dilations=[1, 2, 3, 1])
    add(f"MaxPoolWithArgmax/{pad}", given(f(2, 6, 6, 3), static=True), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding=pad)
    add(f"MaxPool3D/{pad}", given(f(1, 4, 5, 6, 2), static=True), ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding=pad)
    add(f"AvgPool3D/{pad}", given(f(1, 4, 5, 6, 2), static=True), ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding=pad)
    add(f"Conv3D/{pad}", given(f(1, 4, 5, 6, 2), static=True), f(2, 2, 3, 2, 3), strides=[1, 1, 2, 1, 1], padding=pad)
    add(f"Conv2DBackpropInput/{pad}", i(2, 8, 8, 3), f(3, 3, 3, 4), given(f(2, 4, 4, 4) if pad == "SAME" else f(2, 3, 3, 4), static=True), strides=[1, 2, 2, 1], padding=pad)
    add(f"ExtractImagePatches/{pad}", given(f(1, 6, 7, 2), static=True), ksizes=[1, 3, 2, 1], strides=[1, 2, 2, 1], rates=[1, 1, 1, 1], padding=pad)
    add(f"Dilation2D/{pad}", given(f(1, 6, 7, 2), static=True), f(3, 2, 2), strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding=pad)
add("Conv2D/explicit", given(f(1, 6, 6, 2), static=True), f(3, 3, 2, 3), strides=[1, 1, 1, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 0, 1, 0, 0])
add("Conv2D/grouped", given(f(1, 6, 6, 4), static=True), f(3, 3, 2, 6), strides=[1, 1, 1, 1], padding="SAME")
add("DepthwiseConv2dNativeBackpropInput", i(1, 6, 6, 2), f(3, 3, 2, 1), given(f(1, 3, 3, 2), static=True), strides=[1, 2, 2, 1], padding="SAME")
add("Conv3DBackpropInputV2", i(1, 4, 4, 4, 2), f(2, 2, 2, 2, 3), given(f(1, 2, 2, 2, 3), static=True), strides=[1, 2, 2, 2, 1], padding="SAME")
add("LRN", given(f(1, 2, 2, 8), static=True), depth_radius=2, bias=1.5, alpha=0.3, beta=0.75)
add("Softmax", given(np.stack([SOME, SOME[::-1] * 20])))
add("LogSoftmax", given(np.stack([SOME, SOME[::-1] * 20])))
add("SoftmaxCrossEntropyWithLogits", g(2, 5), given(np.eye(5, dtype=F)[[1, 3]]))
add("SparseSoftmaxCrossEntropyWithLogits", given(f(2, 5), static=True), given(i(1, 3)))
for op in ("FusedBatchNorm", "FusedBatchNormV3"):
    add(op, given(f(2, 3, 3, 4), static=True), f(4), f(4), f(4), np.abs(f(4)) + F.type(0.5), is_training=False, epsilon=1e-3, fetch=[0])
add("FusedBatchNormV3/training", given(f(2, 3, 3, 4), static=True), f(4), f(4), np.zeros(0, F), np.zeros(0, F), is_training=True, epsilon=1e-3, fetch=[0, 1, 2])
# images
for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"):
    for name, how in (("plain", {}), ("align", {"align_corners": True}), ("half", {"half_pixel_centers": True})):
        add(f"{op}/up_{name}", given(f(1, 3, 4, 2), static=True), i(7, 8), **how)
        add(f"{op}/down_{name}", given(f(1, 7, 6, 2), static=True), i(3, 4), **how)
add("ResizeArea", given(f(1, 6, 7, 2), static=True), i(3, 4))
for method in ("bilinear", "nearest"):
    add(f"CropAndResize/{method}", given(f(2, 5, 6, 2), static=True), given(np.array([[0, 0, 1, 1], [0.2, 0.1, 0.7, 1.3], [0.9, 0.8, 0.1, 0.2]], F)), given(i(0, 1, 0)), i(3, 4), method=method, extrapolation_value=-1.0)
BOXES = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [0, 100, 1, 101]], F)
SCORES = np.array([0.9, 0.75, 0.6, 0.95, 0.5, 0.3], F)
add("NonMaxSuppression", given(BOXES), given(SCORES), i(3)[0], iou_threshold=0.5)
add("NonMaxSuppressionV2", given(BOXES), given(SCORES), i(10)[0], np.float32(0.5))
add("NonMaxSuppressionV3", given(BOXES), given(SCORES), i(10)[0], np.float32(0.5), np.float32(0.4))
add("NonMaxSuppressionV4", given(BOXES), given(SCORES), i(5)[0], np.float32(0.5), np.float32(0), pad_to_max_output_size=True)
add("NonMaxSuppressionV5", given(BOXES), given(SCORES), i(5)[0], np.float32(0.5), np.float32(0), np.float32(0), pad_to_max_output_size=True)
add("NonMaxSuppressionV5/soft", given(BOXES), given(SCORES), i(6)[0], np.float32(0.5), np.float32(0), np.float32(0.5))
for q in (1, 2):
    add(f"CombinedNonMaxSuppression/{q}", given(np.repeat(BOXES[None, :, None] / 101, q, 2), static=True), given(np.stack([SCORES, SCORES[::-1]], -1)[None], static=True), i(3)[0], i(5)[0], np.float32(0.5), np.float32(0.35))
COLOR = R.random((1, 2, 3, 3)).astype(F)
for op in ("RGBToHSV", "HSVToRGB"):
    add(op, given(COLOR, static=True))
add("AdjustContrastv2", given(COLOR, static=True), np.float32(1.7))
add("AdjustSaturation", given(COLOR, static=True), np.float32(0.6))
add("AdjustHue", given(COLOR, static=True), np.float32(0.2))
# recurrent
add("LSTMBlockCell", g(2, 3), g(2, 4), g(2, 4), f(7, 16), f(4), f(4), f(4), f(16), forget_bias=1.0, cell_clip=0.5, use_peephole=True)
add("GRUBlockCell", g(2, 3), g(2, 4), f(7, 8), f(7, 4), f(8), f(4))
add("BlockLSTM", i(5, dtype=L)[0], g(5, 2, 3), g(2, 4), g(2, 4), f(7, 16), f(4), f(4), f(4), f(16), cell_clip=-1.0, fetch=[1, 6])
add("BlockLSTMV2", i(5, dtype=L)[0], g(5, 2, 3), g(2, 4), g(2, 4), f(7, 16), f(4), f(4), f(4), f(16), fetch=[1, 6])
# quantization
add("FakeQuantWithMinMaxArgs", given(SOME), min=-1.3, max=4.1)
add("FakeQuantWithMinMaxVars", given(SOME), np.float32(-1.3), np.float32(4.1), narrow_range=True)
add("FakeQuantWithMinMaxVars/4", given(SOME), np.float32(-1.3), np.float32(4.1), num_bits=4)
add("FakeQuantWithMinMaxVarsPerChannel", g(3, 2), np.array([-1, -2], F), np.array([2, 1], F))
add("QuantizeAndDequantizeV2", given(SOME), np.float32(-2), np.float32(3), range_given=True)
add("QuantizeAndDequantizeV2/range", given(SOME), np.float32(0), np.float32(0))
add("QuantizeAndDequantizeV2/unsigned", given(np.abs(SOME)), np.float32(0), np.float32(3), range_given=True, signed_input=False)
add("QuantizeAndDequantizeV3", given(SOME), np.float32(-2), np.float32(3), i(6)[0], range_given=True)
add("QuantizeAndDequantizeV4", given(SOME), np.float32(-2), np.float32(3), range_given=True)
# text
WORDS = text(["Hello World", "", "a  b", "ÄÖ x"])
add("StringLower", given(WORDS), encoding="utf-8")
add("StringUpper", given(WORDS), encoding="utf-8")
add("StringLower/bytes", given(WORDS))
add("StringJoin", [given(WORDS), text("!")], separator="-")
add("StaticRegexFullMatch", given(WORDS), pattern="[a-z ]*")
add("RegexFullMatch", given(WORDS), text("H.*"))
add("StringSplitV2", given(WORDS), text(""))
add("StringSplitV2/separator", given(text(["a,b,,c", "x"])), text(","))
add("StringSplitV2/white", given(text(["a\tb c\nd\re\x0bf\x0cg", "  x \t y ", "", " a b c "])), text(""))
add("StringSplitV2/most", given(text(["a\tb c\nd", "  x \t y ", "", " a b c  "])), text(""), maxsplit=1)
add("StringSplitV2/empty", given(text(["", ",", "a,"])), text(","))
add("StringSplit", given(text(["a,b;;c", ",x", "", ";;"])), text(",;"))
add("StringSplit/empty", given(text(["a,b;;c", ",x", "", ";;"])), text(",;"), skip_empty=False)
add("StringSplit/characters", given(text(["ab", ""])), text(""))
add("StringLength", given(WORDS))
add("StringToHashBucketFast", given(text(["a", "hello", "a much longer text of more than sixty-four bytes, so that all ways are taken", "twenty-four characters!!", "x" * 40])), num_buckets=1000003)
add("StringStrip", given(text([" a ", "b"])))
add("AsString", given(i(3, -4)))
add("Substr", given(text(["hello", "world"])), i(1)[0], i(3)[0])
add("StaticRegexReplace", given(WORDS), pattern="[lo]+", rewrite="_")
add("StaticRegexReplace/punctuation", given(text(["It's  a\tWELL-known: [well] a_b ~`^", "", "..."])), pattern=r"""[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']""", rewrite="")
add("StaticRegexReplace/text", given(text(["a<br />b<br /><br />", "", "<br />"])), pattern="<br />", rewrite=" ")
add("StaticRegexReplace/first", given(text(["a..b.c", "", "."])), pattern=r"\.", rewrite="--", replace_global=False)
add("StaticRegexReplace/runs", given(text(["  a \t\nb  ", "", "\n", "ab", " a"])), pattern=r"\s+", rewrite="<>")
add("StaticRegexReplace/own", given(text(["a.b!!c", "!", ".."])), pattern="[.!]", rewrite=".")
add("StaticRegexReplace/posix", given(text(["a.b!!c9", "!", ".."])), pattern="[[:punct:]9]", rewrite="")
add("StaticRegexReplace/any", given(WORDS), pattern="[^a-z]", rewrite="")
add("RegexReplace", given(WORDS), text("[lo]"), text("0o"))
for widths in ([1, 2], [2], [3, 1]):
    add(f"StringNGrams/{'_'.join(map(str, widths))}", given(text("a b c d e f g".split())), given(i(0, 3, 3, 4, 7)), separator=" ", ngram_widths=widths, left_pad="", right_pad="", pad_width=0, preserve_short_sequences=False)
add("StringNGrams/padded", given(text("a b c d".split())), given(i(0, 3, 4)), separator="", ngram_widths=[2], left_pad="<", right_pad=">", pad_width=-1, preserve_short_sequences=False)
add("RaggedBincount", given(i(0, 3, 3, 4, 7).astype(np.int64)), given(i(0, 2, 2, 5, 1, 9, 0)), i(6)[0], np.zeros(0, np.float32))
add("RaggedBincount/weights", given(i(0, 3, 3, 4, 7).astype(np.int64)), given(i(0, 2, 2, 5, 1, 9, 0)), i(6)[0], given(f(7)))
add("RaggedBincount/binary", given(i(0, 3, 3, 4, 7).astype(np.int64)), given(i(0, 2, 2, 5, 1, 9, 0)), i(6)[0], np.zeros(0, np.float32), binary_output=True)
# signals
add("RFFT", given(f(2, 8), static=True), i(8))
add("RFFT/cut", given(f(2, 9), static=True), i(8))
add("AudioSpectrogram", given(f(40, 1), static=True), window_size=16, stride=8, magnitude_squared=True)

__all__ = ["CASES", "Case"]
