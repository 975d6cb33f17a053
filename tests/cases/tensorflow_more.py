"""More cases of TensorFlow's operators: random numbers from a seed, quantized integers, decompositions, suppression."""
from __future__ import annotations

import numpy as np

from .tensorflow_case import add, given

R = np.random.default_rng(8)
F, D, H, I, L = (np.dtype(t) for t in ("f4", "f8", "f2", "i4", "i8"))


def f(*shape: int, scale: float = 1.0, dtype: object = F) -> np.ndarray:
    return (R.standard_normal(shape) * scale).astype(dtype)  # type: ignore[call-overload]


def i(*values: int, dtype: object = I) -> np.ndarray:
    return np.array(values, dtype)  # type: ignore[call-overload]


# random numbers from a seed, drawn at run time
KEYED = (np.array([0x123456789ABCDEF0], "u8"), np.array([2**64 - 3, 7], "u8"), np.array(1, "i4"))
for op in "Uniform Normal".split():
    for dtype in (F, D, H):
        add(f"StatelessRandom{op}/{dtype}", given(i(3, 5)), given(i(12, -7)), dtype=dtype)
    add(f"StatelessRandom{op}V2", given(i(3, 7)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2])
add("StatelessRandomUniform/int64", given(i(3, 5)), given(i(2**40 + 3, -(2**50) + 1, dtype=L)))
add("StatelessRandomUniformInt", given(i(3, 5)), given(i(12, -7)), i(-5)[0], i(100)[0])
add("StatelessRandomUniformIntV2", given(i(4)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2], given(i(-5)[0]), given(i(7)[0]))
for dtype in ("i4", "i8", "u4", "u8"):
    add(f"StatelessRandomUniformFullInt/{dtype}", given(i(3, 3)), given(i(12, -7)), dtype=dtype)
    add(f"StatelessRandomUniformFullIntV2/{dtype}", given(i(3, 3)), given(KEYED[0], static=True), given(KEYED[1], static=True), KEYED[2], dtype=dtype)
for dtype in (F, D):
    add(f"StatelessTruncatedNormal/{dtype}", given(i(3, 25)), i(12, -7), dtype=dtype)
add("StatelessTruncatedNormalV2", given(i(3, 25)), *KEYED)
add("StatelessRandomGetKeyCounter", given(i(12, -7)))
# quantized integers
LOW, HIGH = np.float32(-1.3), np.float32(4.1)
SOME = np.concatenate([f(40, scale=3), np.array([0, -1.3, 4.1, 0.5, -0.5, 100, -100, 2.7125], F)])
WIDE = np.array([-2**31, -2**20 - 1, -300, -1, 0, 1, 77, 12345, 2**20, 2**29 + 1, 2**31 - 200], I)
BYTES = {"quint8": np.arange(256, dtype="u1"), "qint8": np.arange(-128, 128).astype("i1"), "qint32": WIDE,
         "qint16": np.arange(-2**15, 2**15, 321).astype("i2"), "quint16": np.arange(0, 2**16, 321).astype("u2")}
for kind, x in BYTES.items():
    for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
        add(f"Dequantize/{kind}_{mode}", given(x), LOW, HIGH, T=kind, mode=mode)
        add(f"Dequantize/{kind}_{mode}_fed", given(x), given(LOW), given(HIGH), T=kind, mode=mode)
        add(f"QuantizeV2/{kind}_{mode}", given(SOME), LOW, HIGH, T=kind, mode=mode)
        add(f"QuantizeV2/{kind}_{mode}_fed", given(SOME), given(LOW), given(HIGH), T=kind, mode=mode)
    add(f"Dequantize/{kind}_axis", given(np.resize(x, (3, 2, 4)), static=True), np.array([-1, -3], F), np.array([2, 3.5], F), T=kind, mode="SCALED", axis=1, narrow_range=True)
for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
    if mode != "MIN_FIRST":  # which TensorFlow has no kernel for
        add(f"QuantizeV2/{mode}_axis", given(SOME.reshape(2, 3, 8), static=True), np.array([-1, -3, 0.5], F), np.array([2, 3.5, 2], F), T="quint8" if mode != "SCALED" else "qint8", mode=mode, axis=1)
    add(f"QuantizeV2/{mode}_point", given(SOME), given(np.float32(0)), given(np.float32(0)), T="quint8", mode=mode)
    add(f"QuantizeV2/{mode}_above", given(SOME), given(np.float32(2)), given(np.float32(2.0001)), T="quint8", mode=mode, ensure_minimum_range=0.5)
add("QuantizeV2/even", given(np.arange(-8, 8, 0.25, F)), np.float32(-63.5), np.float32(63.5), T="qint8", mode="SCALED", round_mode="HALF_TO_EVEN", narrow_range=True)
U8 = R.integers(0, 256, (2, 6, 5, 3)).astype("u1")
K8 = R.integers(0, 256, (3, 2, 3, 4)).astype("u1")
RANGE = (given(LOW), given(HIGH))
for pad in ("SAME", "VALID"):
    add(f"QuantizedConv2D/{pad}", given(U8, static=True), K8, *RANGE, np.float32(-2), np.float32(1.5), Tinput="quint8", Tfilter="quint8", strides=[1, 2, 2, 1], padding=pad)
    for op in ("QuantizedMaxPool", "QuantizedAvgPool"):
        add(f"{op}/{pad}", given(U8, static=True), *RANGE, T="quint8", ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding=pad)
add("QuantizedMatMul", given(U8[0, 0]), K8[0, 0], *RANGE, np.float32(-2), np.float32(1.5), T1="quint8", T2="quint8")
for op in ("QuantizedRelu", "QuantizedRelu6"):
    add(f"{op}/quint8", given(BYTES["quint8"]), given(np.float32(-3)), given(np.float32(9)), Tinput="quint8", out_type="quint8")
    add(f"{op}/qint32", given(WIDE), given(np.float32(-30)), given(np.float32(30)), Tinput="qint32", out_type="qint32")
add("QuantizedBiasAdd", given(U8, static=True), K8[0, 0, 0, :3], *RANGE, np.float32(-2), np.float32(1.5), T1="quint8", T2="quint8", out_type="qint32")
add("QuantizedConcat", i(1)[0], [given(U8[0, 0]), given(U8[0, 1, :, :2])], [given(LOW), given(np.float32(-3))], [given(HIGH), given(np.float32(2))], T="quint8")
add("QuantizedConcat/same", i(1)[0], [given(U8[0, 0]), given(U8[0, 1, :, :2])], [LOW, LOW], [HIGH, HIGH], T="quint8")
add("QuantizedReshape", given(U8[0, 0]), i(3, 5), *RANGE, T="quint8")
for op in ("QuantizedAdd", "QuantizedMul"):
    add(f"{op}/scalar", given(BYTES["quint8"]), given(np.array(77, "u1")), *RANGE, given(np.float32(-2)), given(np.float32(1.5)), T1="quint8", T2="quint8")
    add(f"{op}/same", given(BYTES["quint8"]), given(BYTES["quint8"][::-1].copy()), *RANGE, given(np.float32(-2)), given(np.float32(1.5)), T1="quint8", T2="quint8")
    add(f"{op}/row", given(U8, static=True), given(U8[0, 0, 0], static=True), *RANGE, given(np.float32(-2)), given(np.float32(1.5)), T1="quint8", T2="quint8")
add("RequantizationRange", given(WIDE[1:-1]), given(np.float32(-30)), given(np.float32(30)), Tinput="qint32")
add("RequantizationRange/positive", given(WIDE[5:-1]), given(np.float32(-30)), given(np.float32(30)), Tinput="qint32")
add("QuantizeDownAndShrinkRange", given(WIDE[1:-1]), given(np.float32(-30)), given(np.float32(30)), Tinput="qint32", out_type="quint8")
NEAR = R.integers(-2**22, 2**22, 60).astype(I)
add("Requantize", given(NEAR), given(np.float32(-3000)), given(np.float32(3000)), given(np.float32(-2)), given(np.float32(3)), Tinput="qint32", out_type="quint8")
add("Requantize/wide", given(WIDE), given(np.float32(-30)), given(np.float32(30)), given(np.float32(-2)), given(np.float32(25)), Tinput="qint32", out_type="quint8")
for name in ("AndRequantize", "AndReluAndRequantize"):
    add(f"QuantizedConv2DWithBias{name}", given(U8, static=True), R.integers(-127, 128, (3, 2, 3, 4)).astype("i1"), f(4, scale=5), np.float32(0), HIGH, np.float32(-2), np.float32(2), np.float32(0), np.float32(30), Tinput="quint8", Tfilter="qint8", Tbias=F, strides=[1, 1, 1, 1], padding="VALID")
add("QuantizedMatMulWithBiasAndReluAndRequantize", given(U8[0, 0], static=True), R.integers(-127, 128, (3, 4)).astype("i1"), f(4, scale=5), np.float32(0), HIGH, np.float32(-2), np.float32(2), np.float32(0), np.float32(30), T1="quint8", T2="qint8", Tbias=F, input_quant_mode="SCALED")
# the integers of TensorFlow 2's quantizer
for kind in ("qint8", "qint32"):
    b = (-128, 127) if kind == "qint8" else (-2**31, 2**31 - 1)
    add(f"UniformQuantize/{kind}", given(SOME), np.float32(0.07), i(3)[0], Tin=F, Tout=kind, quantization_min_val=b[0], quantization_max_val=b[1])
    add(f"UniformQuantize/{kind}_axis", given(SOME.reshape(2, 3, 8)), np.array([0.1, 0.05, 0.3], F), i(1, -2, 0), Tin=F, Tout=kind, quantization_axis=1, quantization_min_val=b[0], quantization_max_val=b[1])
    add(f"UniformDequantize/{kind}", given(BYTES[kind]), np.float32(0.07), i(3)[0], Tin=kind, Tout=F, quantization_min_val=b[0], quantization_max_val=b[1])
    add(f"UniformDequantize/{kind}_axis", given(np.resize(BYTES[kind], (2, 3, 4))), np.array([0.1, 0.05, 0.3], F), i(1, -2, 0), Tin=kind, Tout=F, quantization_axis=1, quantization_min_val=b[0], quantization_max_val=b[1])
add("UniformQuantize/halves", given(np.arange(-4, 4, 0.125, F)), np.float32(0.25), i(3)[0], Tin=F, Tout="qint8", quantization_min_val=-127, quantization_max_val=127)
# suppression
BOXES = R.random((30, 2)).astype(F)
BOXES = np.concatenate([BOXES, BOXES + R.random((30, 2)).astype(F) * F.type(0.5)], 1)
SCORES = R.random(30).astype(F)
SCORES[5] = SCORES[11] = SCORES[20] = 0.9
for sigma in (0.1, 0.5, 2.0):
    add(f"NonMaxSuppressionV5/soft_{sigma}", given(BOXES), given(SCORES), given(i(20)[0]), np.float32(0.5), np.float32(0.2), np.float32(sigma))
add("NonMaxSuppressionV5/soft_corners", given(BOXES[:, [2, 1, 0, 3]]), given(SCORES), i(9)[0], np.float32(0.3), np.float32(0), np.float32(0.5), pad_to_max_output_size=True)
add("NonMaxSuppressionV5/soft_padded", given(BOXES), given(SCORES), i(40)[0], np.float32(0.3), np.float32(0.5), np.float32(0.5), pad_to_max_output_size=True)
add("NonMaxSuppressionV5/soft_nothing", given(BOXES), given(SCORES), i(9)[0], np.float32(0.3), np.float32(1), np.float32(0.5), pad_to_max_output_size=True)
add("NonMaxSuppressionV5/soft_no_boxes", given(BOXES[:0]), given(SCORES[:0]), i(9)[0], np.float32(0.3), np.float32(0), np.float32(0.5), pad_to_max_output_size=True)
SIMILAR = R.random((30, 30)).astype(F)
add("NonMaxSuppressionWithOverlaps", given(SIMILAR), given(SCORES), i(20)[0], np.float32(0.6), np.float32(0.2))
add("NonMaxSuppressionWithOverlaps/symmetric", given(np.maximum(SIMILAR, SIMILAR.T)), given(SCORES), i(20)[0], np.float32(0.9), np.float32(0))
for pad in (False, True):
    add(f"CombinedNonMaxSuppression/padded_{pad}", given(np.repeat(BOXES[None, :, None], 3, 2), static=True), given(R.random((1, 30, 3)).astype(F), static=True), i(4)[0], i(20)[0], np.float32(0.4), np.float32(0.2), pad_per_class=pad, clip_boxes=False)
add("NonMaxSuppressionV4/plain", given(BOXES), given(SCORES), i(20)[0], np.float32(0.2), np.float32(0.1))
add("NonMaxSuppressionV3/corners", given(BOXES[:, [2, 1, 0, 3]]), given(SCORES), i(20)[0], np.float32(0.2), np.float32(0.1))
# complex numbers, which flow in and out as pairs
def c(*shape: int, dtype: object = "c8") -> np.ndarray:
    return (f(*shape) + 1j * f(*shape)).astype(dtype)  # type: ignore[call-overload]


for op in "FFT IFFT FFT2D IFFT2D Conj ComplexAbs Real Imag Angle Square Neg Exp Log Sqrt Reciprocal ConjugateTranspose".split():
    more = (i(1, 0, 2),) if op == "ConjugateTranspose" else ()
    add(f"{op}/complex", given(c(2, 4, 5), static=True), *more)
for op in "Add AddV2 Sub Mul RealDiv Div Equal NotEqual".split():
    add(f"{op}/complex", given(c(2, 4, 3), static=True), given(c(4, 1), static=True))
add("Sqrt/complex_axes", given(np.array([4, -4, 0, 4j, -4j, -4 - 1e-3j, 1e-3 - 4j, 1e-30], "c8"), static=True))
add("ConjugateTranspose", given(f(2, 3)), i(1, 0))
add("FFT/double", given(c(2, 6, dtype="c16"), static=True))
add("Complex", given(f(2, 3), static=True), given(f(2, 3), static=True))
add("IRFFT", given(c(2, 5), static=True), i(8))
add("IRFFT/odd", given(c(2, 5), static=True), i(9))
add("IRFFT2D", given(c(2, 4, 5), static=True), i(4, 8))
add("RFFT2D", given(f(2, 4, 8), static=True), i(4, 8))
add("FFT3D", given(c(2, 3, 4, 5), static=True))
add("IFFT3D", given(c(2, 3, 4, 5), static=True))
for op in ("MatMul", "BatchMatMulV2"):
    add(f"{op}/complex", given(c(4, 3), static=True), given(c(3, 2), static=True))
add("BatchMatMulV2/complex_adjoint", given(c(2, 3, 4), static=True), given(c(2, 5, 3), static=True), adj_x=True, adj_y=True)
for op, axes in (("Sum", i(1)), ("Mean", i(0, -1))):
    add(f"{op}/complex", given(c(2, 4, 3), static=True), axes)
add("Transpose/complex", given(c(2, 4, 3), static=True), i(2, 0, 1))
add("Reshape/complex", given(c(2, 6), static=True), i(3, -1))
add("ConcatV2/complex", [given(c(2, 6), static=True), given(c(2, 1), static=True)], i(-1)[0])
add("StridedSlice/complex", given(c(4, 6), static=True), i(1, 0), i(3, 4), i(1, 2))
add("Slice/complex", given(c(4, 6), static=True), i(1, 2), i(2, -1))
add("Pad/complex", given(c(2, 3), static=True), np.array([[1, 0], [2, 1]], I))
add("Tile/complex", given(c(2, 3), static=True), i(2, 1))
add("SelectV2/complex", given(np.array([[True], [False]]), static=True), given(c(2, 3), static=True), given(c(2, 3), static=True))
add("Squeeze/complex", given(c(2, 1, 3), static=True))
add("Unpack/complex", given(c(2, 3), static=True), num=2)
add("ReverseV2/complex", given(c(2, 3), static=True), i(1))
add("Roll/complex", given(c(2, 5), static=True), i(2), i(1))
add("Cast/complex", given(c(2, 3), static=True), DstT="c16")
add("GatherV2/complex", given(c(5, 3), static=True), given(i(0, 4)), i(0)[0])
add("Fill/complex", given(i(2, 3), static=True), np.complex64(1 + 2j))
add("ZerosLike/complex", given(c(2, 3), static=True))
add("OnesLike/complex", given(c(2, 3), static=True))
add("ExpandDims/complex", given(c(2, 3), static=True), i(-1)[0])
add("Pack/complex", [given(c(2, 3), static=True), given(c(2, 3), static=True)], axis=1)
# linear algebra: of sizes that the graph knows, and of sizes that it does not
for n in (1, 5):
    square = f(2, n, n) + np.eye(n, dtype=F)
    positive = square @ square.transpose(0, 2, 1) + np.eye(n, dtype=F)
    for how, x, rest in (("known", square, (2, n, 3)), ("matrix", square[0], (n, 3)), ("deep", square[None], (1, 2, n, 3))):
        static = how != "deep"
        add(f"MatrixInverse/{how}_{n}", given(x, static=static))
        add(f"MatrixInverse/{how}_{n}_adjoint", given(x, static=static), adjoint=True)
        add(f"MatrixSolve/{how}_{n}", given(x, static=static), given(f(*rest), static=static))
        add(f"Cholesky/{how}_{n}", given(positive if how == "known" else positive[0] if how == "matrix" else positive[None], static=static))
        add(f"Lu/{how}_{n}", given(x, static=static))
        add(f"LogMatrixDeterminant/{how}_{n}", given(x, static=static))
        add(f"MatrixDeterminant/{how}_{n}", given(x, static=static))
        for lower in (False, True):
            for adjoint in (False, True):
                add(f"MatrixTriangularSolve/{how}_{n}_{lower}_{adjoint}", given(x, static=static), given(f(*rest), static=static), lower=lower, adjoint=adjoint)
        for full in (False, True):
            add(f"Qr/{how}_{n}_{full}", given(x, static=static), full_matrices=full)
            add(f"Qr/{how}_{n}_{full}_wide", given(np.concatenate([x, x[..., :1] * 2 + 1], -1), static=static), full_matrices=full)
            add(f"Qr/{how}_{n}_{full}_high", given(np.concatenate([x, x[..., :1, :] * 2 + 1], -2), static=static), full_matrices=full)
add("MatrixSolve/adjoint", g64 := given(f(2, 4, 4, dtype=D) + np.eye(4)), given(f(2, 4, 2, dtype=D)), adjoint=True)
add("MatrixTriangularSolve/broadcast", given(f(1, 4, 4) + 3 * np.eye(4, dtype=F), static=True), given(f(3, 4, 2), static=True))
add("Qr/double", g64)
add("Svd", g64, compute_uv=False, fetch=[0])
add("SelfAdjointEigV2", g64, compute_v=False, fetch=[0])
# rows of different lengths
SPLITS, VALUES = given(i(0, 3, 3, 5, 9, dtype=L)), given(f(9))
add("RaggedGather", [SPLITS], VALUES, given(i(3, 1, 0, 3)), PARAMS_RAGGED_RANK=1, OUTPUT_RAGGED_RANK=1)
add("RaggedGather/rows", [SPLITS], given(f(9, 2)), given(i(2, 2)), PARAMS_RAGGED_RANK=1, OUTPUT_RAGGED_RANK=1)
add("RaggedRange", given(i(0, 5, 8, 3)), given(i(3, 5, 2, 9)), given(i(1, 2, -2, 4)))
add("RaggedRange/scalar", given(i(2)[0]), given(i(3, 5, 2, 9)), given(i(2)[0]))
add("RaggedRange/float", given(np.array([0, 1], F)), given(np.array([1, -0.1], F)), given(np.array([0.3, -0.5], F)))
add("RaggedTensorToSparse", [SPLITS], VALUES, RAGGED_RANK=1)
for merge in (False, True):
    for blank in (-1, 0):
        add(f"CTCGreedyDecoder/{merge}_{blank}", given(R.integers(0, 2, (12, 3, 4)).astype(F) + f(12, 3, 4, scale=0.1), static=True), given(i(12, 7, 0), static=True), merge_repeated=merge, blank_index=blank)
add("Reverse", g33 := given(f(3, 4)), np.array([True, False]))
add("UnravelIndex", given(i(0, 5, 23)), i(2, 3, 4))
add("DataFormatVecPermute", given(i(7, 8, 9, 10), static=True))
add("DataFormatVecPermute/spatial", given(i(8, 9), static=True), src_format="NCHW", dst_format="NHWC")
add("DataFormatDimMap", given(i(0, 3, 1), static=True))
add("GuaranteeConst", g33)
for mode in ("REFLECT", "SYMMETRIC"):
    add(f"FusedPadConv2D/{mode}", given(f(1, 6, 7, 2), static=True), np.array([[0, 0], [1, 2], [2, 1], [0, 0]], I), f(3, 2, 2, 4), mode=mode, strides=[1, 2, 1, 1], padding="VALID")
# pictures
TURN = np.array([[0.9, -0.3, 1.2, 0.35, 1.1, -0.8, 0, 0], [1.2, 0.1, -2.3, 0.05, 0.7, 9.1, 0.01, -0.02]], F)
for fill in ("CONSTANT", "NEAREST", "REFLECT", "WRAP"):
    for how in ("NEAREST", "BILINEAR"):
        add(f"ImageProjectiveTransformV3/{fill}_{how}", given(f(2, 5, 6, 3), static=True), given(TURN), i(6, 8), np.float32(0.7), fill_mode=fill, interpolation=how)
        add(f"ImageProjectiveTransformV2/{fill}_{how}", given(f(2, 5, 6, 1), static=True), given(TURN[:1] * F.type(3)), i(5, 6), fill_mode=fill, interpolation=how)
for kernel in ("lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"):
    for antialias in (False, True):
        add(f"ScaleAndTranslate/{kernel}_{antialias}", given(f(1, 7, 6, 2), static=True), i(4, 9), np.array([4 / 7, 1.5], F), np.array([0, -0.3], F), kernel_type=kernel, antialias=antialias)
# numbers as text
for dtype, words in ((F, ["1.5", "-3", "1e3", "0.1", "inf"]), (D, ["1.5", "-3e-200"]), (I, ["12", "-7", "0"]), (L, ["1234567890123", "-1"])):
    add(f"StringToNumber/{dtype}", given(words, "s"), out_type=dtype)
# sums and products of uniformly quantized integers
C8 = {f"{side}_quantization_{end}_val": v for side in ("lhs", "rhs") for end, v in (("min", -128), ("max", 127))}
OUT = {"output_quantization_min_val": -2**31, "output_quantization_max_val": 2**31 - 1}
A8, B8 = R.integers(-128, 128, (3, 40)).astype("i1"), R.integers(-128, 128, (40, 5)).astype("i1")
AXIS = (np.array([0.01, 0.5, 0.003, 0.02, 0.1], F), i(3, -2, 0, 1, -7))
OWN = (np.array([0.02, 0.1, 0.3, 0.01, 1.5], F), i(0, 5, -5, 2, 1))
add("UniformQuantizedDot", given(A8), B8, np.float32(0.03), i(4)[0], np.float32(0.11), i(-3)[0], np.float32(0.07), i(9)[0], Tin="qint8", Tout="qint32", **C8, **OUT)
add("UniformQuantizedDot/fed", given(A8), given(B8, static=True), np.float32(3), i(4)[0], *AXIS, np.float32(1e-4), i(9)[0], Tin="qint8", Tout="qint32", rhs_quantization_axis=1, **C8, output_quantization_min_val=-20000, output_quantization_max_val=900000)
add("UniformQuantizedDot/axis", given(A8), B8, np.float32(0.3), i(4)[0], *AXIS, *OWN, Tin="qint8", Tout="qint32", rhs_quantization_axis=1, output_quantization_axis=1, **C8, **OUT)
HALVES = np.concatenate([np.arange(-4, 4, 0.5), [-128, 127], np.arange(-10.5, 0.5, 0.5)]).astype(F)
for part, x in (("", f(3, 40, scale=4)), ("halves", np.stack([HALVES, HALVES / 2, 3 - HALVES, np.abs(HALVES), -np.abs(HALVES), 0 * HALVES]))):
    w = np.resize(B8, (x.shape[1], 5))
    add(f"UniformQuantizedDotHybrid/{part}", given(x), w, np.float32(0.11), i(-3)[0], Tlhs=F, Trhs="qint8", Tout=F, rhs_quantization_min_val=-128, rhs_quantization_max_val=127)
    add(f"UniformQuantizedDotHybrid/{part}_axis", given(x), w, *AXIS, Tlhs=F, Trhs="qint8", Tout=F, rhs_quantization_axis=1, rhs_quantization_min_val=-128, rhs_quantization_max_val=127)
A32 = R.integers(-30000, 30000, (3, 5)).astype(I)
R32 = {f"{side}_quantization_{end}_val": v for side in ("lhs", "rhs") for end, v in (("min", -2**31), ("max", 2**31 - 1))}
add("UniformQuantizedAdd", given(A32), given(A32[::-1].copy()), np.float32(0.03), i(4)[0], np.float32(0.11), i(-3)[0], np.float32(0.07), i(9)[0], T="qint32", **R32, **OUT)
add("UniformQuantizedAdd/bias", given(A32, static=True), A32[0], *AXIS, *AXIS, *AXIS, T="qint32", lhs_quantization_axis=1, rhs_quantization_axis=0, output_quantization_axis=1, **R32, **OUT)
add("UniformQuantizedClipByValue", given(A32), i(-1000)[0], i(20000)[0], np.float32(0.03), i(4)[0], T="qint32", quantization_min_val=-2**31, quantization_max_val=2**31 - 1)
add("UniformQuantizedClipByValue/axis", given(A32, static=True), i(-10, -200, -3000, 5, 10), i(0, 100, 30000, 50, 10), *AXIS, T="qint32", quantization_axis=1, quantization_min_val=-2**31, quantization_max_val=2**31 - 1)
for kind, x in (("qint8", A8[:, :5]), ("qint32", np.concatenate([A32, np.resize(WIDE[1:], (2, 5))]))):
    b = {"input_quantization_min_val": -128 if kind == "qint8" else -2**31, "input_quantization_max_val": 127 if kind == "qint8" else 2**31 - 1, "output_quantization_min_val": -128, "output_quantization_max_val": 100}
    add(f"UniformRequantize/{kind}", given(x), np.float32(0.03), i(4)[0], np.float32(0.07), i(9)[0], Tin=kind, Tout="qint8", **b)
    add(f"UniformRequantize/{kind}_larger", given(x), np.float32(30), i(4)[0], np.float32(0.07), i(9)[0], Tin=kind, Tout="qint8", **b)
    add(f"UniformRequantize/{kind}_axis", given(x, static=True), *AXIS, *OWN, Tin=kind, Tout="qint8", input_quantization_axis=1, output_quantization_axis=1, **b)
# convolutions of uniformly quantized integers
C = np.random.default_rng(88)


def axes(lhs: str, rhs: str, out: str) -> str:
    """A UniformQuantizedConvolutionDimensionNumbersAttr of letters: b(atch), f(eature), i(n), o(ut), digits are space."""
    data = b""
    for field, text, first, second in ((1, lhs, "b", "f"), (4, rhs, "i", "o"), (7, out, "b", "f")):
        space = [text.index(c) for c in sorted(text) if c.isdigit()]
        data += bytes([8 * field, text.index(first), 8 * (field + 1), text.index(second), 8 * (field + 2) + 2, len(space), *space])
    return data.decode("latin-1")


def convolved(name: str, x: object, w: object, *, per: tuple[np.ndarray, np.ndarray] = (np.array(0.11, F), i(-3)[0]), out: tuple[np.ndarray, np.ndarray] = (np.array(0.07, F), i(9)[0]), **attributes: object) -> None:
    add(f"UniformQuantizedConvolution/{name}", x, w, np.float32(0.03), i(-5)[0], *per, *out, Tin="qint8", Tout="qint32", **C8, **{**OUT, **attributes})


def bytes_of(*shape: int) -> np.ndarray:
    return C.integers(-128, 128, shape).astype("i1")


PER6 = (np.array([0.01, 0.5, 0.003, 0.02, 0.1, 2], F), i(3, -2, 0, 127, -128, 5))
convolved("plain", given(bytes_of(2, 4, 7, 6)), bytes_of(6, 4, 3, 2), padding="VALID")
convolved("no_zeros", given(bytes_of(2, 4, 7, 6), static=True), bytes_of(6, 4, 3, 3), per=(PER6[0], 0 * PER6[1]), rhs_quantization_axis=0, padding="SAME", window_strides=[2, 1])
convolved("axis", given(bytes_of(2, 4, 7, 6), static=True), bytes_of(6, 4, 3, 2), per=PER6, out=(PER6[0][::-1].copy(), PER6[1]), rhs_quantization_axis=0, output_quantization_axis=1, padding="EXPLICIT", explicit_padding=[1, 2, 0, 3], output_quantization_min_val=-2000, output_quantization_max_val=100000)
convolved("nhwc", given(bytes_of(2, 7, 6, 4)), bytes_of(3, 2, 4, 6), per=PER6, rhs_quantization_axis=3, padding="SAME", window_strides=[2, 3], rhs_dilation=[2, 1], dimension_numbers=axes("b01f", "01io", "b01f"))
convolved("turned", given(bytes_of(7, 4, 2, 6), static=True), bytes_of(6, 2, 4, 3), per=PER6, rhs_quantization_axis=0, padding="SAME", dimension_numbers=axes("0fb1", "o1i0", "1fb0"))
convolved("spread", given(bytes_of(2, 4, 5, 4), static=True), bytes_of(6, 4, 3, 2), padding="SAME", lhs_dilation=[2, 3], window_strides=[1, 2])
convolved("spread_explicit", given(bytes_of(2, 4, 5, 4), static=True), bytes_of(6, 4, 3, 2), padding="EXPLICIT", explicit_padding=[1, 1, 2, 0], lhs_dilation=[1, 2], rhs_dilation=[2, 2])
convolved("groups", given(bytes_of(2, 4, 7, 6)), bytes_of(6, 2, 3, 2), padding="VALID", feature_group_count=2)
convolved("batch_groups", given(bytes_of(6, 4, 5, 5), static=True), bytes_of(6, 4, 3, 2), padding="SAME", batch_group_count=3)
convolved("1d", given(bytes_of(2, 4, 9)), bytes_of(6, 4, 3), per=PER6, rhs_quantization_axis=0, padding="SAME", window_strides=[2])
convolved("3d", given(bytes_of(1, 2, 4, 5, 3), static=True), bytes_of(3, 2, 2, 2, 2), padding="SAME")
