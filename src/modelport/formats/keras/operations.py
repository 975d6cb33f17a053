"""Functions as nodes: operations of Keras 3 and TensorFlow functions of Keras 2, brought to one scheme.

``ops.NAME`` is the function ``keras.ops.NAME``; its tensors are the inputs of the raw node, the rest its attributes.
A line says the parameters of a call: tensors, then behind ``;`` attributes; ``*`` takes all, ``a=b`` renames."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KERAS: Mapping[str, str] = {
    **dict.fromkeys("add subtract multiply divide true_divide floor_divide divide_no_nan maximum minimum fmax fmin mod "
                    "fmod power equal not_equal greater greater_equal less less_equal logical_and logical_or "
                    "logical_xor matmul dot tensordot outer inner vdot arctan2 hypot logaddexp isclose heaviside "
                    "cross append ldexp gcd lcm kron logaddexp2 is_in nextafter correlate psnr".split(), "x1 x2"),
    **dict.fromkeys("bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift "
                    "right_shift".split(), "x y"),
    **dict.fromkeys("concatenate stack hstack vstack dstack".split(), "*xs"),
    "einsum": "*operands", "where": "condition x1 x2", "take": "x indices", "take_along_axis": "x indices",
    "get_item": "x ; key", "full_like": "x fill_value", "pad": "x constant_values", "average": "x weights",
    "conv": "inputs kernel", "depthwise_conv": "inputs kernel", "conv_transpose": "inputs kernel",
    "separable_conv": "inputs depthwise_kernel pointwise_kernel",
    "batch_norm": "x mean variance offset scale", "layer_norm": "x gamma beta", "rms_norm": "x scale",
    "dot_product_attention": "query key value bias mask", "slice": "inputs start_indices",
    "rms_normalization": "x scale", "layer_normalization": "x gamma beta", "digitize": "x bins",
    "slice_update": "inputs start_indices updates", "scatter": "indices values",
    "segment_sum": "data segment_ids", "segment_max": "data segment_ids", "rearrange": "tensor ; pattern",
    "select": "*condlist choicelist default", "c_dist": "x y", "isclose": "x1 x2 rtol atol", "all_close": "x1 x2",
    "search_sorted": "sorted_sequence values", "quantile": "x q", "percentile": "x q", "rot90": "array",
    "meshgrid": "*x", "in_top_k": "targets predictions", "scatter_update": "inputs indices updates",
    "segment_min": "data segment_ids", "segment_prod": "data segment_ids", "unravel_index": "indices",
    **dict.fromkeys("binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy".split(),
                    "target output"),
    **dict.fromkeys("fft fft2 ifft2 irfft".split(), "*x"), **dict.fromkeys(("solve", "solve_triangular"), "a b"),
    "affine_transform": "images transform", "map_coordinates": "inputs coordinates",
}
"""The operations that take more than one tensor ``x``."""

PAIRS = frozenset("top_k moments fft fft2 ifft2 rfft stft qr slogdet".split())
"""Those of two outputs, whether or not somebody asks for the second."""

_BINARY = {"add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "truediv": "divide",
           "floordiv": "floor_divide", "maximum": "maximum", "minimum": "minimum", "pow": "power", "mod": "mod",
           "floormod": "mod", "equal": "equal", "not_equal": "not_equal", "greater": "greater", "less": "less",
           "greater_equal": "greater_equal", "less_equal": "less_equal", "logical_and": "logical_and",
           "logical_or": "logical_or", "divide_no_nan": "divide_no_nan", "sub": "subtract",
           "mul": "multiply", "squared_difference": "squared_difference", "floor_div": "floor_divide",
           "logical_xor": "logical_xor", "xlogy": "tf_xlogy",
           "multiply_no_nan": "tf_multiply_no_nan"}
_UNARY = {**{n: n for n in "abs exp log log1p sqrt square sin cos tan sinh cosh tanh sigmoid floor ceil round sign "
             "expm1 erf negative rsqrt reciprocal logical_not softplus softsign relu relu6 selu identity cumsum "
             "zeros_like ones_like isnan isinf isfinite shape".split()},
          "neg": "negative", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "swish": "silu", "silu": "silu",
          "log_sigmoid": "log_sigmoid", "stop_gradient": "stop_gradient",
          "is_nan": "isnan", "is_inf": "isinf", "is_finite": "isfinite",
          "rint": "round",
          "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "erfc": "erfc", "cumprod": "cumprod",
          "invert": "logical_not"}
_REDUCE = {"reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod",
           "reduce_any": "any", "reduce_all": "all", "reduce_std": "std", "reduce_variance": "var",
           "reduce_logsumexp": "logsumexp", "reduce_euclidean_norm": "norm"}
TENSORFLOW: Mapping[str, str] = {
    **{f"{p}{n}": f"{o}: x y" for n, o in _BINARY.items() for p in ("math.", "")},
    **{f"{p}{n}": f"{o}: x" for n, o in _UNARY.items() for p in ("math.", "nn.", "")},
    **{f"{p}{n}": f"{o}: input_tensor ; axis keepdims" for n, o in _REDUCE.items() for p in ("math.", "")},
    **{f"__operators__.{n}": f"{o}: x y" for n, o in (
        ("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("truediv", "divide"), ("floordiv", "floor_divide"),
        ("pow", "power"), ("mod", "mod"), ("eq", "equal"), ("ne", "not_equal"), ("gt", "greater"), ("lt", "less"),
        ("ge", "greater_equal"), ("le", "less_equal"), ("and", "logical_and"), ("or", "logical_or"),
        ("matmul", "matmul"))},
    **{f"__operators__.r{n}": f"{o}: y x" for n, o in (
        ("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("truediv", "divide"), ("pow", "power"),
        ("floordiv", "floor_divide"), ("mod", "mod"), ("matmul", "matmul"))},
    **{f"{p}atan2": "arctan2: y x" for p in ("math.", "")},
    "__operators__.neg": "negative: x", "__operators__.abs": "abs: x", "__operators__.invert": "logical_not: x",
    "__operators__.getitem": "get_item: x ; slice_spec=key",
    "linalg.matmul": "tf_matmul: a b ; transpose_a transpose_b", "matmul": "tf_matmul: a b ; transpose_a transpose_b",
    "reshape": "reshape: tensor ; shape=newshape", "transpose": "transpose: a ; perm=axes",
    "concat": "concatenate: *values ; axis", "stack": "stack: *values ; axis", "unstack": "unstack: value ; num axis",
    "split": "tf_split: value ; num_or_size_splits axis num", "expand_dims": "expand_dims: input ; axis",
    "squeeze": "squeeze: input ; axis", "tile": "tile: input ; multiples=repeats", "cast": "cast: x ; dtype",
    "clip_by_value": "tf_clip: t clip_value_min clip_value_max", "nn.softmax": "softmax: logits ; axis",
    "nn.log_softmax": "log_softmax: logits ; axis", "nn.leaky_relu": "leaky_relu: features ; alpha=negative_slope",
    "nn.elu": "elu: features", "nn.selu": "selu: features", "nn.relu": "relu: features", "nn.relu6": "relu6: features",
    "nn.tanh": "tanh: x", "nn.gelu": "gelu: features ; approximate", "nn.silu": "tf_silu: features ; beta",
    "nn.swish": "tf_silu: features ; beta", "nn.bias_add": "tf_bias_add: value bias ; data_format",
    "nn.sigmoid": "sigmoid: x",
    "nn.l2_normalize": "tf_l2_normalize: x ; axis epsilon", "math.l2_normalize": "tf_l2_normalize: x ; axis epsilon",
    "linalg.l2_normalize": "tf_l2_normalize: x ; axis epsilon",
    "strided_slice": "tf_strided_slice: input_ ; begin end strides",
    "slice": "tf_slice: input_ ; begin size", "gather": "tf_gather: params indices ; axis batch_dims",
    "where": "where: condition x y",
    "pad": "pad: tensor constant_values ; paddings=pad_width mode", "image.resize": "tf_resize: images ; size method",
    "math.argmax": "argmax: input ; axis", "argmax": "argmax: input ; axis", "math.argmin": "argmin: input ; axis",
    "nn.depth_to_space": "depth_to_space: input ; block_size data_format",
    "nn.space_to_depth": "space_to_depth: input ; block_size data_format",
    "one_hot": "tf_one_hot: indices ; depth=num_classes on_value off_value axis",
    "math.add_n": "add_n: *inputs", "add_n": "add_n: *inputs", "reverse": "flip: tensor ; axis",
    "einsum": "einsum: *inputs ; equation=subscripts", "ones_like": "ones_like: input ; dtype",
    "zeros_like": "zeros_like: input ; dtype", "compat.v1.shape": "shape: input", "shape": "shape: input",
    "broadcast_to": "broadcast_to: input ; shape", "repeat": "repeat: input ; repeats axis",
    "math.softplus": "softplus: features", "nn.softplus": "softplus: features", "math.softsign": "softsign: features",
    **{f"nn.{k}_pool{n}": f"tf_{k}_pool: input|value ; ksize strides padding data_format"
       for k in ("avg", "max") for n in ("", "2d")},
    "nn.top_k": "top_k: input ; k sorted", "math.top_k": "top_k: input ; k sorted",
    "nn.crelu": "tf_crelu: features ; axis", "nn.l2_loss": "tf_l2_loss: t",
    **{f"{p}norm": "norm: tensor ; ord axis keepdims" for p in ("", "linalg.")},
    "tensordot": "tensordot: a b ; axes", "fill": "tf_fill: dims value", "range": "tf_range: start limit delta",
    "rank": "ndim: input", "size": "size: input", "roll": "roll: input ; shift axis",
    "reverse_sequence": "tf_reverse_sequence: input seq_lengths ; seq_axis batch_axis",
    "gather_nd": "tf_gather_nd: params indices ; batch_dims", "dtypes.saturate_cast": "saturate_cast: value ; dtype",
    "saturate_cast": "saturate_cast: value ; dtype", "clip_by_norm": "tf_clip_by_norm: t clip_norm ; axes",
    "sort": "tf_sort: values ; axis direction", "argsort": "tf_argsort: values ; axis direction stable",
    "sequence_mask": "tf_sequence_mask: lengths ; maxlen dtype", "linalg.trace": "tf_trace: x",
    "linalg.band_part": "tf_band_part: input ; num_lower num_upper", "linalg.diag_part": "tf_diag_part: input",
    "linalg.diag": "tf_diag: diagonal", "ensure_shape": "tf_checked: x ; shape",
    "debugging.check_numerics": "tf_checked: tensor ; message", "math.accumulate_n": "add_n: *inputs",
    "math.count_nonzero": "tf_count_nonzero: input ; axis keepdims dtype",
    "nn.sigmoid_cross_entropy_with_logits": "tf_sigmoid_loss: labels logits",
    "nn.softmax_cross_entropy_with_logits": "tf_softmax_loss: labels logits ; axis",
    "nn.softmax_cross_entropy_with_logits_v2": "tf_softmax_loss: labels logits ; axis",
    "keras.backend.batch_flatten": "tf_batch_flatten: x",
    "nn.conv2d": "tf_conv: input filter|filters ; strides padding data_format dilations",
    "nn.convolution": "tf_conv: input filter|filters ; strides padding data_format dilations dilation_rate=dilations",
    "nn.conv2d_transpose": "tf_conv_transpose: input|value filter|filters ; output_shape strides padding data_format "
                           "dilations",
    "nn.depthwise_conv2d": "tf_depthwise: input filter ; strides padding data_format dilations",
    "nn.separable_conv2d": "tf_separable: input depthwise_filter pointwise_filter ; strides padding data_format "
                           "dilations",
    **dict.fromkeys(("nn.local_response_normalization", "nn.lrn"),
                    "tf_lrn: input ; depth_radius bias alpha beta"),
    **{f"image.{n}": f"tf_image.{n}: image" for n in (
        "flip_left_right flip_up_down transpose per_image_standardization").split()},
    "image.rot90": "tf_image.rot90: image ; k", "image.rgb_to_grayscale": "rgb_to_grayscale: images",
    "image.grayscale_to_rgb": "tf_image.grayscale_to_rgb: images", "image.rgb_to_hsv": "rgb_to_hsv: images",
    "image.hsv_to_rgb": "hsv_to_rgb: images", "image.adjust_brightness": "add: image delta",
    "image.adjust_contrast": "tf_image.adjust_contrast: images contrast_factor",
    "image.crop_to_bounding_box": "tf_image.crop: image ; offset_height offset_width target_height target_width",
    "image.pad_to_bounding_box": "tf_image.pad: image ; offset_height offset_width target_height target_width",
    "image.central_crop": "tf_image.central_crop: image ; central_fraction",
    "image.resize_with_crop_or_pad": "tf_image.crop_or_pad: image ; target_height target_width",
    "image.resize_bilinear": "tf_image.resize: images ; size align_corners half_pixel_centers",
    "image.resize_nearest_neighbor": "tf_image.resize_nearest: images ; size align_corners half_pixel_centers",
    "image.extract_patches": "tf_image.extract_patches: images ; sizes strides rates padding",
    "image.convert_image_dtype": "tf_image.convert: image ; dtype saturate",
}
"""Functions of a ``TFOpLambda``: the operation, and the names of its parameters in TensorFlow."""

RAW: Mapping[str, str] = {
    "Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply", "RealDiv": "divide", "Maximum": "maximum",
    "Minimum": "minimum", "Pow": "power", "BiasAdd": "add", "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid",
    "Tanh": "tanh", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Square": "square", "Abs": "abs",
    "Neg": "negative", "Softmax": "softmax", "Floor": "floor", "Greater": "greater", "Less": "less", "Equal": "equal",
    "NotEqual": "not_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "LogicalNot": "logical_not",
    "Identity": "identity", "Erf": "erf", "SquaredDifference": "squared_difference"}
"""The operators of a ``TensorFlowOpLayer`` that have tensors only."""

RAW_ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "Reshape": ("reshape", "newshape"), "Transpose": ("transpose", "axes"), "ExpandDims": ("expand_dims", "axis"),
    "Tile": ("tile", "repeats"), "Mean": ("mean", "axis"), "Sum": ("sum", "axis"), "Max": ("max", "axis"),
    "Min": ("min", "axis"), "Prod": ("prod", "axis"), "ConcatV2": ("concatenate", "axis"), "ArgMax": ("argmax", "axis")}
"""Those whose last input is a constant that an operation has as an attribute: the operation and the attribute."""


_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "use_cudnn_on_gpu": (True,), "conjugate": (False,), "validate_indices": (True, False),
    "out_type": ("int32", "int64"), "bad_indices_policy": ("", "DEFAULT"),
    "adjoint_a": (False,), "adjoint_b": (False,), "a_is_sparse": (False,),
    "b_is_sparse": (False,), "output_type": ("int64",)}
"""Arguments of TensorFlow's functions that change nothing, with the values that do not."""


@dataclass(frozen=True)
class Signature:
    """What an operation is called with: tensors by name (or all), and which other arguments it has."""

    op: str
    tensors: tuple[str, ...]
    attrs: Mapping[str, str]
    all: bool = False

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The tensors in order (``None``: not given) and the attributes of a call."""
        given = {k: v for k, v in kwargs.items() if k != "name"}
        order = [*self.tensors, *self.attrs]
        attrs: dict[str, Any] = {}
        if self.all:
            found = [v for a in args for v in (a if isinstance(a, list) else [a])]
            for name in self.tensors:
                more = given.pop(name, [])
                found += more if isinstance(more, list) else [more]
        else:
            if len(args) > len(order):
                raise ValueError(f"{len(args)} arguments")
            given.update(zip(order, args, strict=False))
            found = [next((given.pop(n) for n in (name, *name.split("|")) if n in given), None)
                     for name in self.tensors]
            while found and found[-1] is None:
                found.pop()
        for name, value in given.items():
            if name in _HARMLESS and value in _HARMLESS[name]:
                continue
            if value is not None or name == "axis":
                attrs[self.attrs.get(name, name)] = value
        return found, attrs


def signature(text: str, op: str = "") -> Signature:
    """The signature that a line of the tables says."""
    if ":" in text:
        op, _, text = text.partition(":")
    tensors, _, attrs = text.partition(";")
    names = tensors.split()
    renamed = [a.partition("=") for a in attrs.split()]
    return Signature(op, tuple(n.lstrip("*") for n in names), {a: b or a for a, _, b in renamed},
                     any(n.startswith("*") for n in names))


def of_keras(name: str) -> Signature:
    """The signature of an operation of Keras 3, by its name in snake case."""
    return signature(KERAS.get(name, "x"), name)


def of_tensorflow(function: str) -> Signature | None:
    """The signature of a function of TensorFlow, if it is known."""
    text = TENSORFLOW.get(function)
    return None if text is None else signature(text)
