"""Changes of operators that a comparison of schemas can't judge, judged by reading the specification.

A change that leaves attributes, defaults, inputs and outputs as they are and only allows more element types needs no
entry; one that is not in this table has a rule.  A test goes through the whole history in the onnx package."""
from __future__ import annotations

ADDED = "a new attribute, absent from older nodes; its default, or its absence, is what they did"
OPTIONAL = "a new optional input or output, absent from older nodes"
NARROWED = "element types were taken back that no runtime computes; the writer refuses them"
PRECISION = "an attribute that says how precisely to compute, which older versions left open"
DEPRECATED = "deprecated, the schema unchanged; the hub keeps the operator as it was before"

COMPATIBLE: dict[tuple[str, int], str] = {
    ("ArgMax", 12): ADDED, ("ArgMin", 12): ADDED,
    ("Attention", 24): OPTIONAL, ("Attention", 25): ADDED,
    ("AveragePool", 7): ADDED, ("AveragePool", 10): ADDED, ("AveragePool", 19): ADDED,
    ("Cast", 19): ADDED, ("Cast", 24): ADDED, ("CastLike", 19): ADDED, ("CastLike", 24): ADDED,
    ("DepthToSpace", 11): ADDED, ("SpaceToDepth", 28): ADDED,
    ("DequantizeLinear", 13): ADDED, ("DequantizeLinear", 21): ADDED, ("DequantizeLinear", 23): ADDED,
    ("QuantizeLinear", 13): ADDED, ("QuantizeLinear", 19): ADDED, ("QuantizeLinear", 21): ADDED,
    ("QuantizeLinear", 23): ADDED,
    ("Erf", 13): NARROWED, ("ReduceLogSum", 28): NARROWED, ("ReduceLogSumExp", 28): NARROWED,
    ("GRU", 14): ADDED, ("LSTM", 14): ADDED, ("RNN", 14): ADDED,
    ("GatherND", 12): ADDED, ("Gemm", 11): OPTIONAL, ("LpPool", 18): ADDED,
    ("MaxPool", 8): ADDED + "; " + OPTIONAL, ("MaxPool", 10): ADDED,
    ("Constant", 11): ADDED, ("Constant", 12): ADDED, ("Loop", 11): OPTIONAL,
    ("Pad", 18): OPTIONAL, ("Range", 27): PRECISION, ("Reshape", 14): ADDED, ("Resize", 18): ADDED,
    ("ScatterElements", 16): ADDED, ("ScatterND", 16): ADDED, ("Shape", 15): ADDED, ("TopK", 11): ADDED,
    ("ai.onnx.ml.LabelEncoder", 4): ADDED,
    ("ai.onnx.ml.TreeEnsembleClassifier", 3): ADDED, ("ai.onnx.ml.TreeEnsembleRegressor", 3): ADDED,
    ("ai.onnx.ml.TreeEnsembleClassifier", 5): DEPRECATED,
    ("ai.onnx.ml.TreeEnsembleRegressor", 5): DEPRECATED,
}

SILENT: dict[tuple[str, int], str] = {
    ("PRelu", 7): "a slope for each channel became one that broadcasts by its last dimensions",
    ("OneHot", 11): "negative indices counted as out of range and count from the end since",
}
"""Changes of meaning that no schema shows; each has a rule."""

ERRATA: dict[tuple[str, int], str] = {
    ("ConvTranspose", 11): "which side gets an odd padding for output_shape was written the other way round; ONNX "
                           "Runtime computes all versions as the later text says",
    ("Cast", 24): "what saturating casts to 8-bit floats make of infinities was corrected",
    ("Attention", 24): "the causal mask with a cache was corrected",
}
"""Corrections of the text: the hub follows the later one for all versions."""
