"""The lowest version of each operator that has what a node needs, so that older runtimes load the file.

A runtime refuses a version that it does not know; a lower one than the features need is a file that it may refuse too.

Source: tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...ir.graph import Node, Value

Test = Callable[[Node], bool]


def version(node: Node) -> int:
    """The version of the operator that ``node`` needs."""
    return next((number for number, test in _RULES.get(node.op, ()) if test(node)), _LEAST.get(node.op, 1))


def _type(v: Value | None) -> str:
    return "" if v is None else v.dtype.name


def _of(*kinds: str, at: int = 0) -> Test:
    """Input number ``at`` has one of these element types."""
    return lambda n: len(n.inputs) > at and _type(n.inputs[at]) in kinds


def _out(*kinds: str) -> Test:
    return lambda n: _type(n.outputs[0]) in kinds


def _axes(more_than: int) -> Test:
    return lambda n: n.inputs[0] is not None and (n.inputs[0].rank or 0) > more_than


def _attr(name: str) -> Test:
    return lambda n: n.attrs.get(name) not in (None, 0, False, "NONE", "FLOAT32")


def _all(*tests: Test) -> Test:
    return lambda n: all(t(n) for t in tests)


def _any(*tests: Test) -> Test:
    return lambda n: any(t(n) for t in tests)


def _hybrid(weight: int = 1) -> Test:
    """Real activations and integer weights."""
    return _all(_of("float32"), _of("int8", at=weight), _out("float32"))


def _channels(at: int = 1) -> Test:
    def test(n: Node) -> bool:
        v = n.inputs[at]
        return v is not None and v.type.quant is not None and v.type.quant.axis is not None
    return test


def _unquantized(n: Node) -> bool:
    return n.inputs[0] is not None and n.inputs[0].type.quant is None


def _broadcast_wide(n: Node) -> bool:
    """Inputs of different shapes, one of more than four axes."""
    values = [v for v in n.inputs if v is not None]
    return len({v.shape for v in values}) > 1 and max(v.rank or 0 for v in values) > 4


def _grouped(n: Node) -> bool:
    x, w = n.inputs[:2]
    return x is not None and w is not None and x.shape is not None and w.shape is not None \
        and isinstance(x.shape[-1], int) and x.shape[-1] != w.shape[-1]


def _rescales_up(n: Node) -> bool:
    """A product whose scale is not below the output's."""
    quants = [None if v is None else v.type.quant for v in (*n.inputs[:2], n.outputs[0])]
    scales = [float(q.scale) for q in quants if q is not None and q.scale.ndim == 0]
    return len(scales) == 3 and scales[0] * scales[1] / scales[2] >= 1


def _has_bias(n: Node) -> bool:
    return len(n.inputs) == 4 and n.inputs[3] is not None


_INT8 = (2, _of("int8"))
_INT16 = (3, _of("int16"))
_8_16: Sequence[tuple[int, Test]] = (_INT16, _INT8)
_RULES: Mapping[str, Sequence[tuple[int, Test]]] = {
    "CONV_2D": ((8, _all(_of("int16"), _attr("quantized_bias_type"))), (6, _grouped),
                (3, _all(_of("int8"), _of("int8", at=1))), (7, _of("int4", at=1)), (5, _all(_hybrid(), _channels())),
                (2, _hybrid())),
    "DEPTHWISE_CONV_2D": ((6, _all(_hybrid(), _channels())), (4, _hybrid()), (3, _all(_of("int8"), _of("int8", at=1))),
                          (7, _of("int4", at=1)),
                          (2, lambda n: {n.attrs.get(f"dilation_{a}_factor", 1) for a in "wh"} != {1})),
    "FULLY_CONNECTED": ((14, _of("int2", at=1)), (13, _all(_of("int16"), _of("int4", at=1))),
                        (12, _all(_hybrid(), _channels())), (11, _all(_of("int16"), _attr("quantized_bias_type"))),
                        (5, _attr("keep_num_dims")), (10, _of("int4", at=1)),
                        (4, _of("int8")), (9, _all(_hybrid(), _attr("asymmetric_quantize_inputs"))), (3, _hybrid())),
    "TRANSPOSE_CONV": ((5, _all(_of("int16", at=2), _attr("quantized_bias_type"))),
                       (4, _attr("fused_activation_function")), (3, _has_bias), (2, _of("int8", at=1))),
    "GATHER": ((7, _of("int4")), (6, _of("int16", at=1)), (5, _attr("batch_dims")), (4, _of("int16")), (3, _of("bool")),
               _INT8),
    "GATHER_ND": ((5, _of("bool")), (4, _of("int16", at=1)), _INT16, (2, _of("object"))),
    "SVDF": ((3, _of("int8")), (4, _all(_hybrid(), _attr("asymmetric_quantize_inputs"))), (2, _hybrid())),
    "SIGN": ((2, _of("int32")),),
    "MUL": ((7, _any(_of("uint32"), _all(_of("int16"), _unquantized))), (6, _of("complex64")), (5, _of("int64")),
            (4, _of("int16")), (3, _rescales_up), _INT8),
    "TRANSPOSE": ((8, _axes(6)), (7, _of("int4")), (6, _axes(5)), (5, _of("int16")), (4, _axes(4)), (3, _of("bool")),
                  _INT8),
    "SPLIT": ((4, _of("int16", at=1)), (3, _of("int32", at=1)), (2, _of("int8", at=1))),
    "SPARSE_TO_DENSE": ((3, _of("int8", "uint8", at=2)), (2, _of("int64", at=2))),
    "SLICE": ((7, _of("int4")), (6, _of("uint32")), (5, _axes(4)), (4, _of("int16")), (3, _of("object")), _INT8),
    "UNPACK": ((5, _of("float16", "bfloat16")), (4, _of("int16")), (3, _of("bool")), (2, _of("int8", "uint8"))),
    "DEQUANTIZE": ((8, _of("uint4")), (7, _of("int2")), (6, _of("int4")), (3, _of("int16", "float16")),
                   (5, _all(_of("int8"), _channels(0))), _INT8),
    "QUANTIZE": ((5, _any(_of("uint4"), _out("uint4"))), (4, _any(_of("int4"), _out("int4"))), (2, _out("int16"))),
    "FLOOR_DIV": ((3, _of("int8", "int16")), (2, _of("float32"))), "FLOOR_MOD": ((2, _of("int8", "int16")),),
    "L2_NORMALIZATION": ((2, _out("int8")),),
    "ABS": ((5, _of("int32")), (4, _all(_of("int16"), _unquantized)), _INT16, (2, _of("int8", "uint8"))),
    "RELU": (_INT16, (2, _of("int8", "uint8"))),
    "STRIDED_SLICE": ((8, _attr("offset")), (7, _of("uint32")),
                      (6, _any(_attr("ellipsis_mask"), _attr("new_axis_mask"))), (5, _of("object")), (4, _axes(4)),
                      (3, _of("bool")), _INT8),
    "REVERSE_V2": ((3, _of("int8")), (2, _of("bool"))),
    "RESIZE_BILINEAR": ((4, _of("int16")), (3, _attr("half_pixel_centers")), _INT8),
    "RESIZE_NEAREST_NEIGHBOR": ((4, _of("int16")), (3, _any(_attr("half_pixel_centers"), _attr("align_corners"))),
                                _INT8),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), ((4, _of("int16")), (3, _broadcast_wide), _INT8)),
    "PACK": ((4, _of("uint32")), _INT16, _INT8), "TILE": ((3, _of("int8")), (2, _of("object"))),
    "SQUEEZE": ((2, _of("object")),),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"),
                    ((4, _of("int16")), (3, lambda n: n.inputs[0] is not None and n.inputs[0].rank != 4), _INT8)),
    "ADD": ((6, _of("float16")), (5, _all(_of("int16"), _unquantized)), (4, _of("int64")),
            (3, _all(_of("int16"), lambda n: n.attrs.get("pot_scale_int16") is False)), _INT8),
    "SUB": ((5, _all(_of("int16"), lambda n: n.attrs.get("pot_scale_int16") is False)), (4, _of("int64")),
            (3, _broadcast_wide), _INT8),
    "DIV": ((2, _broadcast_wide),), **dict.fromkeys(("TANH", "LOGISTIC"), _8_16),
    "FILL": ((4, _of("float16", at=1)), (3, _of("int8", "int16", at=1)), (2, _of("bool", "object", at=1))),
    "EQUAL": ((5, _of("int16")), (3, _of("object")), _INT8),
    "NOT_EQUAL": ((4, _of("int16")), (3, _of("object")), _INT8),
    "LEAKY_RELU": ((2, _of("int16")),), "RANGE": ((2, _of("int64")),),
    "BATCH_MATMUL": (_INT16, _INT8, (4, _all(_hybrid(), _attr("asymmetric_quantize_inputs")))),
    **dict.fromkeys(("PAD", "PADV2"), ((5, _of("bool")), (4, _axes(4)), _INT16, _INT8)),
    "CONCATENATION": ((5, _of("int4")), (4, _of("uint32")), _INT16, _INT8),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "SOFTMAX", "MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN",
                     "RELU6", "RSQRT", "LESS", "GREATER_EQUAL"), _8_16),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM"),
                    ((3, _all(_hybrid(), _attr("asymmetric_quantize_inputs"))), (2, _hybrid()))),
    "LSTM": ((5, _of("int16")), (4, _all(_hybrid(2), _attr("asymmetric_quantize_inputs"))), (3, _hybrid(2)),
             (2, lambda n: n.attrs.get("kernel_type") == "BASIC")),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ((5, _of("int16")), (4, _attr("diagonal_recurrent_tensors")),
                                     (3, _all(_hybrid(2), _attr("asymmetric_quantize_inputs"))), (2, _hybrid(2))),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), ((3, _of("bool")), _INT8)),
    "SELECT": ((4, _of("uint32")), (3, lambda n: any(v is not None and v.rank == 5 for v in n.inputs)),
               (2, _of("int8", at=1))),
    "SELECT_V2": ((2, _of("uint32", at=1)),),
    **dict.fromkeys(("SPACE_TO_DEPTH", "SPLIT_V", "SUM", "LOG_SOFTMAX", "GREATER", "LESS_EQUAL", "SQUARED_DIFFERENCE",
                     "DEPTH_TO_SPACE"), (_INT8,)),
    "TOPK_V2": ((3, _any(_of("int16"), _of("int16", at=1))), _INT8),
    **dict.fromkeys(("EXP", "LOG", "REDUCE_PROD", "SQRT"), ((2, _of("int8", "int16")),)),
    "DYNAMIC_UPDATE_SLICE": ((4, _of("int16")), (3, _of("float16")), (2, _of("int64", at=2))),
    "BROADCAST_TO": ((3, _of("int8", "int16")),),
    "CAST": ((8, _any(_of("int2", "uint4"), _out("int2", "uint4"))), (7, _any(_of("bfloat16"), _out("bfloat16"))),
             (6, _of("int4")), (5, _any(_of("float16", "float64"), _out("float16", "float64"))),
             (4, _any(_of("uint16"), _out("uint16"))), (3, _any(_of("int8"), _out("int8"))),
             (2, _any(_of("uint32"), _out("uint32")))),
    "WHERE": ((2, lambda n: _type(n.inputs[0]) != "bool"),), "GELU": ((2, _of("int8", "uint8")),),
    "FAKE_QUANT": ((2, _attr("narrow_range")),),
    "EMBEDDING_LOOKUP": ((4, _any(_of("int4", at=1), _channels())), (5, _of("int2", at=1))),
}
# FULLY_CONNECTED of two inputs would need 6: the writer always names three, the bias absent if there is none
_LEAST = {"BROADCAST_TO": 2}
