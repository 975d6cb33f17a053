"""What is known of each class of layers: its weights, the tensors it takes, what it does to a mask."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Unsupported

OLD_NAMES = {  # of Keras 1, of other spellings, and of layers that only differ in how they were computed
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "Convolution1DTranspose": "Conv1DTranspose", "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose", "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution1D": "SeparableConv1D", "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution3D": "Conv3DTranspose", "DepthwiseConvolution2D": "DepthwiseConv2D",
    "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D", "AvgPool3D": "AveragePooling3D",
    "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D", "MaxPool3D": "MaxPooling3D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D", "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D", "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D", "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization", "TimeDistributedDense": "Dense", "Convolutional2D": "Conv2D",
    "LSTMV2": "LSTM", "GRUV2": "GRU", "DenseV2": "Dense", "GroupedQueryAttention": "GroupQueryAttention"}

IDENTITY = frozenset(
    "Identity Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout "
    "ActivityRegularization AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration "
    "RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur "
    "RandomGrayscale RandomHue StochasticDepth RandomHeight RandomInvert RandomPerspective RandomPosterization "
    "RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom "
    "Solarization Equalization".split())
"""Layers that do nothing but while training."""

BARE = frozenset("Discretization HashedCrossing InputLayer Pipeline SpatialDropout1D SpatialDropout2D "
                 "SpatialDropout3D".split())
"""Layers whose configuration does not say whether they are trained (Keras 3.15, their ``get_config``)."""

CODE = {"Lambda": "Python bytecode inside of the file",
        "TFSMLayer": "a SavedModel in another folder", "TorchModuleWrapper": "a pickled PyTorch module",
        "JaxLayer": "serialized functions of JAX", "FlaxLayer": "a module of Flax"}
"""Layers that are no data: running them is running code of the file's author."""

TENSORS: Mapping[str, str] = {
    "MultiHeadAttention": "query value key query_mask value_mask key_mask attention_mask",
    "GroupQueryAttention": "query value key query_mask value_mask key_mask attention_mask",
    "Attention": "query value key query_mask value_mask", "AdditiveAttention": "query value key query_mask value_mask",
    "GlobalAveragePooling1D": "x mask", "Softmax": "x mask", "CategoryEncoding": "x count_weights"}
"""The tensors of the layers that take more than one; a call's own names where it names them."""

_RNN = "cell/kernel cell/recurrent_kernel cell/bias"
_ATTENTION = " ".join(f"{p}_dense|_{p}_dense/{w}" for p in ("query", "key", "gate", "value", "output")
                      for w in ("kernel", "bias"))
WEIGHTS: Mapping[str, str] = {
    **dict.fromkeys("Dense Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D "
                    "DepthwiseConv2D LocallyConnected1D LocallyConnected2D EinsumDense".split(), "kernel bias"),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), "depthwise_kernel pointwise_kernel bias"),
    **dict.fromkeys("LSTM GRU SimpleRNN ConvLSTM1D ConvLSTM2D ConvLSTM3D".split(), _RNN),
    **dict.fromkeys("LSTMCell GRUCell SimpleRNNCell CuDNNLSTM CuDNNGRU".split(), "kernel recurrent_kernel bias"),
    "Embedding": "embeddings", "ReversibleEmbedding": "embeddings reverse_embeddings",
    "BatchNormalization": "gamma beta moving_mean moving_variance",
    "LayerNormalization": "gamma beta", "GroupNormalization": "gamma beta", "RMSNormalization": "scale",
    "PReLU": "alpha", "LayerScale": "gamma", "Attention": "scale concat_score_weight", "AdditiveAttention": "scale",
    "Normalization": "mean variance", "MultiHeadAttention": _ATTENTION, "GroupQueryAttention": _ATTENTION,
    "STFTSpectrogram": "real_kernel imag_kernel", "Maxout": "W b", "Highway": "W W_carry b b_carry"}
"""Weights in the order that the rules take them: names, with the part of the layer that has them in front."""


def slots(kind: str, config: Mapping[str, Any], quantized: str) -> list[tuple[str, str, bool]]:
    """Part, name and presence of each weight of a layer."""
    out = [(*_parted(w), present(kind, config, w.rpartition("/")[2]) and (not w.startswith("gate") or gated))
           for gated in [bool(config.get("use_gate"))] for w in WEIGHTS.get(kind, "").split()]
    mode, _, block = quantized.partition("/")
    grouped = mode == "int4" and block not in ("", "-1")
    if mode in ("gptq", "awq") and kind in ("Dense", "EinsumDense"):
        names = ["kernel", "kernel_scale", "kernel_zero|zero_point", *["awq_scales"][:mode == "awq"], "g_idx"]
        return [("", "bias", present(kind, config, "bias")), *(("", n, True) for n in names)]
    if mode in ("int8", "int4") and kind == "ReversibleEmbedding":
        tied = bool(config.get("tie_weights", True))
        if mode == "int4" and not tied:
            raise Unsupported("a second table of 4 bits")
        names = ["embeddings", "embeddings_scale", *["embeddings_zero", "g_idx"][:2 * grouped],
                 *["reverse_embeddings", "reverse_embeddings_scale"][:2 * (not tied)]]
        return [("", n, True) for n in names]
    if mode in ("int8", "int4") and kind in ("Dense", "EinsumDense", "Embedding"):
        stem = "embeddings" if kind == "Embedding" else "kernel"
        out += [("", f"{stem}_scale", True)]
        if grouped:
            out += [("", f"{stem}_zero", True), ("", "g_idx", True)]
    if mode == "float8" and kind in ("Dense", "EinsumDense"):
        out += [("", f"{part}{name}", True) for part in ("inputs_", "kernel_", "outputs_grad_")
                for name in ("scale", "amax_history")]
    return out


def _parted(w: str) -> tuple[str, str]:
    part, _, name = w.rpartition("/")
    return part, name


def present(kind: str, config: Mapping[str, Any], name: str) -> bool:
    """Whether the configuration gives a layer this weight."""
    if name == "bias":
        return config.get("bias_axes") is not None if kind == "EinsumDense" else \
            bool(config.get("use_bias", config.get("bias", True)))
    if name == "b":
        return bool(config.get("bias", True))
    if kind == "LayerNormalization" and config.get("rms_scaling"):
        return name == "gamma"
    if name == "gamma":
        return bool(config.get("scale", True))
    if name == "beta":
        return bool(config.get("center", True))
    if kind == "Attention":
        return bool(config.get("use_scale")) if name == "scale" else config.get("score_mode") == "concat"
    if kind == "AdditiveAttention":
        return bool(config.get("use_scale", True))
    if name == "reverse_embeddings":
        return not config.get("tie_weights", True)
    if kind == "STFTSpectrogram":
        return config.get("mode", "log") != ("imag" if name == "real_kernel" else "real")
    if kind == "Normalization":
        return config.get("mean") is None
    return True


RECURRENT: Mapping[str, int] = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1, "ConvLSTM1D": 2, "ConvLSTM2D": 2, "ConvLSTM3D": 2,
                                "CuDNNLSTM": 2, "CuDNNGRU": 1}
"""Recurrent layers and how many states they carry."""
CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}

MERGES = frozenset("Add Subtract Multiply Average Maximum Minimum Concatenate Dot Merge".split())
_PASS = frozenset(
    "Activation ActivityRegularization AlphaDropout BatchNormalization Dense Dropout ELU GaussianDropout GaussianNoise "
    "GroupNormalization LayerNormalization LeakyReLU PReLU ReLU Softmax SpatialDropout1D SpatialDropout2D "
    "SpatialDropout3D UnitNormalization ThresholdedReLU MultiHeadAttention GroupQueryAttention".split())
_PASS_3 = _PASS | {"Identity", "Normalization", "Rescaling"}
_PASS_2 = _PASS | {"Attention", "AdditiveAttention"}


def passes_mask(kind: str, legacy: bool) -> bool:
    """Whether the output of a layer has the mask of its first input."""
    return kind in (_PASS_2 if legacy else _PASS_3)
