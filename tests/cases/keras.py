"""One layer or operation of Keras a case: the reader's conformance suite.

A case is a line ``add(name, expression, inputs)``.  The expression is Python in which ``L`` is ``keras.layers``, ``ops``
``keras.ops`` and ``K`` Keras itself: a layer, or a function of the inputs.  It is evaluated only where Keras is
installed; elsewhere the files and outputs that were recorded serve (``tests/recorded/keras``).  ``old`` cases are made by
tf_keras (Keras 2) as .h5, the others by Keras 3 as .keras."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

Make = Callable[[np.random.Generator], np.ndarray]


@dataclass
class Given:
    """An input: how its value is made, and which axes besides the batch are dynamic."""

    make: Make
    dynamic: tuple[int, ...] = ()
    batch: bool = True


@dataclass
class Case:
    name: str
    expression: str
    inputs: list[Given]
    old: bool = False
    suffix: str = ".keras"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def arrays(self) -> list[np.ndarray]:
        """The values of the inputs: the same for both generations."""
        rng = np.random.default_rng(crc32(self.name.removesuffix("@2").encode()))
        return [g.make(rng) for g in self.inputs]


CASES: dict[str, Case] = {}


def f(*shape: int, low: float = -2, high: float = 2, dynamic: Sequence[int] = (), batch: bool = True) -> Given:
    """Real numbers, multiples of 1/64 so that their recordings are small."""
    def make(rng: np.random.Generator) -> np.ndarray:
        return (rng.integers(int(low * 64), int(high * 64) + 1, shape) / 64).astype(np.float32)
    return Given(make, tuple(dynamic), batch)


def i(*shape: int, low: int = 0, high: int = 9, dtype: str = "int32", dynamic: Sequence[int] = ()) -> Given:
    return Given(lambda rng: rng.integers(low, high, shape).astype(dtype), tuple(dynamic))


def given(values: Any, dtype: str | None = None, dynamic: Sequence[int] = ()) -> Given:
    array = np.asarray(values, dtype)
    return Given(lambda rng: array.astype(object) if array.dtype.kind == "U" else array, tuple(dynamic))


def add(name: str, expression: str, *inputs: Given, both: bool = False, old: bool = False, h5: bool = False,
        **options: Any) -> None:
    """Enters a case; ``both`` generations make two of it."""
    if not old:
        CASES[name] = Case(name, expression, list(inputs), False, ".h5" if h5 else ".keras", options)
    if old or both:
        CASES[f"{name}@2"] = Case(f"{name}@2", expression, list(inputs), True, ".h5", options)


def seed(name: str) -> int:
    return crc32(name.encode())


# -- activations

for a in ("relu", "relu6", "sigmoid", "tanh", "softmax", "softplus", "softsign", "elu", "selu", "exponential", "hard_sigmoid", "gelu", "silu", "hard_silu", "leaky_relu", "mish", "log_softmax", "log_sigmoid", "celu", "glu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid", "sparsemax", "linear"):
    add(f"Activation/{a}", f"L.Activation('{a}')", f(2, 3, 6))
for a in ("hard_sigmoid", "swish", "gelu", "softmax", "relu6", "mish"):
    add(f"Activation/{a}", f"L.Activation('{a}')", f(2, 3, 6), old=True)
add("Activation/object", "L.Dense(4, activation=L.LeakyReLU(negative_slope=0.1))", f(2, 3))
add("Activation/softmax_object", "L.Dense(4, activation=L.Softmax(axis=1))", f(2, 3, 3))
add("ReLU", "L.ReLU()", f(2, 9), both=True)
add("ReLU/all", "L.ReLU(max_value=1.5, negative_slope=0.25, threshold=0.5)", f(2, 9))
add("ReLU/max", "L.ReLU(max_value=1.0)", f(2, 9), both=True)
add("ReLU/slope", "L.ReLU(negative_slope=0.25)", f(2, 9), both=True)
add("ReLU/slope_max", "L.ReLU(negative_slope=0.25, max_value=1.0)", f(2, 9), both=True)
add("ReLU/threshold", "L.ReLU(threshold=0.5)", given([[0.5, 0.25, 1.0, -1.0, 0.515625]], "float32"), both=True)
add("LeakyReLU", "L.LeakyReLU(negative_slope=0.2)", f(2, 9))
add("LeakyReLU", "L.LeakyReLU(alpha=0.2)", f(2, 9), old=True)
add("ELU", "L.ELU(alpha=0.7)", f(2, 9), both=True)
add("PReLU", "L.PReLU()", f(2, 4, 5))
add("PReLU/shared", "L.PReLU(shared_axes=[1, 2])", f(2, 4, 5, 3), both=True)
add("Softmax", "L.Softmax()", f(2, 3, 5), both=True)
add("Softmax/axis", "L.Softmax(axis=1)", f(2, 3, 5))
add("Softmax/axes", "L.Softmax(axis=(1, 2))", f(2, 3, 5), both=True)
add("Softmax/mask", "lambda x, m: L.Softmax()(x, mask=m)", f(2, 5), given(np.arange(10).reshape(2, 5) % 3 > 0))
add("ThresholdedReLU", "L.ThresholdedReLU(theta=0.7)", f(2, 9), old=True)

# -- convolutions

for n, shape in ((1, (2, 9, 3)), (2, (2, 7, 8, 3)), (3, (1, 5, 6, 5, 2))):
    for pad in ("same", "valid"):
        add(f"Conv{n}D/{pad}", f"L.Conv{n}D(4, 3, padding='{pad}')", f(*shape), both=n == 2)
        add(f"Conv{n}D/{pad}_strided", f"L.Conv{n}D(4, 2, strides=2, padding='{pad}', activation='relu')", f(*shape))
        add(f"Conv{n}D/{pad}_dilated", f"L.Conv{n}D(4, 2, dilation_rate=2, padding='{pad}', use_bias=False)", f(*shape))
        if n < 3:
            add(f"DepthwiseConv{n}D/{pad}", f"L.DepthwiseConv{n}D(3, depth_multiplier=2, padding='{pad}')", f(*shape), both=n == 2)
            add(f"DepthwiseConv{n}D/{pad}_strided", f"L.DepthwiseConv{n}D(3, strides=2, padding='{pad}', activation='relu')", f(*shape))
            add(f"SeparableConv{n}D/{pad}", f"L.SeparableConv{n}D(4, 3, depth_multiplier=2, padding='{pad}')", f(*shape), both=True)
    small = (1, 2, 3, 2, 2) if n == 3 else shape
    for pad in ("same", "valid"):
        add(f"Conv{n}DTranspose/{pad}", f"L.Conv{n}DTranspose(4, 3, padding='{pad}')", f(*small), both=n == 2)
        for stride in (2, 3):
            for size in (2, 3):
                add(f"Conv{n}DTranspose/{pad}_{size}_{stride}", f"L.Conv{n}DTranspose(2, {size}, strides={stride}, padding='{pad}')", f(*small), both=n == 2 and stride == 2)
    add(f"Conv{n}DTranspose/output_padding", f"L.Conv{n}DTranspose(2, 3, strides=2, padding='same', output_padding=1)", f(*small), both=n == 2)
    add(f"Conv{n}D/groups", f"L.Conv{n}D(4, 3, groups=2)", f(*shape[:-1], 4))
    add(f"Conv{n}D/dynamic", f"L.Conv{n}D(4, 3, strides=2, padding='same')", f(*shape, dynamic=range(1, n + 1)))
add("Conv2D/asymmetric", "L.Conv2D(4, (2, 4), strides=(1, 2), padding='same')", f(2, 7, 8, 3), both=True)
add("Conv2D/even_same", "L.Conv2D(4, 4, strides=3, padding='same')", f(2, 8, 9, 3))
add("Conv2D/first_axis", "L.Conv2D(4, 3, strides=2, padding='same', data_format='channels_first')", f(2, 3, 7, 9))  # of 4 x 4 results Keras 3.15 adds the bias along the wrong axis
add("AveragePooling2D/first", "L.AveragePooling2D(2, padding='same', data_format='channels_first')", f(2, 3, 7, 8))
add("Conv1D/causal", "L.Conv1D(4, 3, padding='causal')", f(2, 9, 3), both=True)
add("Conv1D/causal_dilated", "L.Conv1D(4, 2, padding='causal', dilation_rate=3)", f(2, 9, 3))
add("Conv1D/causal_strided", "L.Conv1D(4, 3, padding='causal', strides=2)", f(2, 9, 3))
add("Conv2D/dynamic_stride_1", "L.Conv2D(4, 3, padding='same')", f(2, 7, 8, 3, dynamic=[1, 2]))
add("Conv2DTranspose/dynamic", "L.Conv2DTranspose(4, 3, strides=2, padding='same')", f(2, 7, 8, 3, dynamic=[1, 2]))
add("Conv2DTranspose/dilated", "L.Conv2DTranspose(4, 3, dilation_rate=2)", f(2, 7, 8, 3))
add("Conv2DTranspose/output_padding_valid", "L.Conv2DTranspose(3, 3, strides=3, padding='valid', output_padding=2)", f(2, 4, 5, 3))
add("LocallyConnected1D", "L.LocallyConnected1D(4, 3, strides=2, activation='relu')", f(2, 9, 3), old=True)
add("LocallyConnected1D/first", "L.LocallyConnected1D(4, 3, data_format='channels_first')", f(2, 3, 9), old=True)
add("LocallyConnected2D/first", "L.LocallyConnected2D(4, (3, 2), data_format='channels_first')", f(2, 3, 6, 5), old=True)
add("LocallyConnected2D", "L.LocallyConnected2D(4, (3, 2), strides=(2, 1))", f(2, 6, 5, 2), old=True)

# -- pooling

for n, shape in ((1, (2, 9, 3)), (2, (2, 7, 8, 3)), (3, (1, 5, 6, 5, 2))):
    for kind in ("Max", "Average"):
        add(f"{kind}Pooling{n}D", f"L.{kind}Pooling{n}D(2)", f(*shape), both=n == 2)
        add(f"{kind}Pooling{n}D/same", f"L.{kind}Pooling{n}D(3, strides=2, padding='same')", f(*shape), both=n == 2)
        add(f"{kind}Pooling{n}D/strided", f"L.{kind}Pooling{n}D(3, strides=1)", f(*shape))
        add(f"Global{kind}Pooling{n}D", f"L.Global{kind}Pooling{n}D()", f(*shape), both=n == 2)
        add(f"Global{kind}Pooling{n}D/keepdims", f"L.Global{kind}Pooling{n}D(keepdims=True)", f(*shape))
        add(f"Adaptive{kind}Pooling{n}D", f"L.Adaptive{kind}Pooling{n}D(3)", f(*shape))
        if kind == "Average":  # of the maximum TensorFlow's kernel divides by zero
            add(f"Adaptive{kind}Pooling{n}D/whole", f"L.Adaptive{kind}Pooling{n}D(1)", f(*shape))
add("AveragePooling2D/dynamic", "L.AveragePooling2D(3, strides=2, padding='same')", f(2, 7, 8, 3, dynamic=[1, 2]))
add("GlobalAveragePooling1D/mask", "lambda x: L.GlobalAveragePooling1D()(L.Masking()(x))", given([[[1, 2], [0, 0], [3, 5]], [[1, 1], [2, 2], [0, 0]]], "float32"), both=True)
add("MaxPooling1D/channels_first", "L.MaxPooling1D(2, data_format='channels_first')", f(2, 3, 9))
add("GlobalMaxPooling1D/channels_first", "L.GlobalMaxPooling1D(data_format='channels_first')", f(2, 3, 9))

# -- normalisation

add("BatchNormalization", "L.BatchNormalization()", f(2, 5), both=True)
add("BatchNormalization/sequence", "L.BatchNormalization()", f(2, 4, 5))
add("BatchNormalization/image", "L.BatchNormalization(epsilon=0.01)", f(2, 4, 5, 3), both=True)
add("BatchNormalization/first", "L.BatchNormalization(axis=1)", f(2, 4, 5, 3))
add("BatchNormalization/middle", "L.BatchNormalization(axis=2)", f(2, 4, 5, 3))
add("BatchNormalization/bare", "L.BatchNormalization(center=False, scale=False)", f(2, 4, 5, 3), both=True)
add("BatchNormalization/no_scale", "L.BatchNormalization(scale=False)", f(2, 4, 5, 3), h5=True)
add("BatchNormalization/no_center", "L.BatchNormalization(center=False)", f(2, 4, 5, 3), h5=True)
add("LayerNormalization", "L.LayerNormalization()", f(2, 4, 5), both=True)
add("LayerNormalization/axes", "L.LayerNormalization(axis=[1, 2])", f(2, 4, 5), both=True)
add("LayerNormalization/first", "L.LayerNormalization(axis=1)", f(2, 4, 5), both=True)
add("LayerNormalization/bare", "L.LayerNormalization(center=False, scale=False)", f(2, 4, 5))
add("LayerNormalization/no_scale", "L.LayerNormalization(scale=False, epsilon=0.1)", f(2, 4, 5))
add("LayerNormalization/outer", "L.LayerNormalization(axis=[1, 3])", f(2, 4, 5, 3))
add("RMSNormalization", "L.RMSNormalization()", f(2, 4, 5))
add("GroupNormalization", "L.GroupNormalization(groups=2)", f(2, 4, 5, 6), both=True)
add("GroupNormalization/first", "L.GroupNormalization(groups=2, axis=1)", f(2, 4, 5, 3))
add("GroupNormalization/each", "L.GroupNormalization(groups=-1, center=False)", f(2, 4, 6))
add("UnitNormalization", "L.UnitNormalization()", f(2, 4, 5), both=True)
add("UnitNormalization/axis", "L.UnitNormalization(axis=1)", f(2, 4, 5))
add("SpectralNormalization", "L.SpectralNormalization(L.Conv2D(4, 3))", f(2, 5, 5, 3))

# -- core, merging, reshaping

add("Dense", "L.Dense(4, activation='tanh')", f(2, 3), both=True)
add("Dense/no_bias", "L.Dense(4, use_bias=False)", f(2, 3), h5=True)
add("Dense/sequence", "L.Dense(4)", f(2, 5, 3), both=True)
add("Dense/int", "L.Dense(4)", i(2, 3))
add("EinsumDense", "L.EinsumDense('ab,bc->ac', output_shape=4, bias_axes='c')", f(2, 3))
add("EinsumDense/heads", "L.EinsumDense('abc,cde->abde', output_shape=(None, 2, 4), bias_axes='de')", f(2, 5, 3), both=True)
add("EinsumDense/ellipsis", "L.EinsumDense('...x,xy->...y', output_shape=4, bias_axes='y', activation='relu')", f(2, 5, 3))
add("EinsumDense/merged", "L.EinsumDense('abde,dec->abc', output_shape=(None, 4))", f(2, 5, 2, 3))
add("EinsumDense/odd", "L.EinsumDense('abc,bd->adc', output_shape=(4, 3))", f(2, 5, 3))
add("Embedding", "L.Embedding(10, 4)", i(2, 5), both=True)
add("Embedding/float", "L.Embedding(10, 4)", given([[1.0, 2.0, 9.0]], "float32"))
add("ReversibleEmbedding", "lambda x: (lambda e: e(e(x), reverse=True))(L.ReversibleEmbedding(10, 4))", i(2, 5))
add("Identity", "L.Identity()", f(2, 3))
add("Masking", "L.Masking(mask_value=1.0)", given([[[1, 1], [1, 2], [0, 0]]], "float32"), both=True)
for m in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
    add(f"{m}", f"L.{m}()", f(2, 4, 3), f(2, 4, 3), both=True)
    add(f"{m}/three", f"L.{m}()", f(2, 4, 3), f(2, 4, 3), f(2, 1, 3))
add("Add/ranks", "L.Add()", f(2, 4, 3), f(2, 3))
add("Subtract", "L.Subtract()", f(2, 3), f(2, 3), both=True)
add("Concatenate", "L.Concatenate()", f(2, 4, 3), f(2, 4, 2), both=True)
add("Concatenate/axis", "L.Concatenate(axis=1)", f(2, 4, 3), f(2, 2, 3))
add("Dot", "L.Dot(axes=1)", f(2, 3), f(2, 3), both=True)
add("Dot/normalized", "L.Dot(axes=-1, normalize=True)", f(2, 4, 3), f(2, 5, 3), both=True)
add("Dot/axes", "L.Dot(axes=(2, 1))", f(2, 4, 3), f(2, 3, 5), both=True)
add("Dot/mixed", "L.Dot(axes=(1, 1))", f(2, 4, 3), f(2, 4))
add("Flatten", "L.Flatten()", f(2, 4, 3), both=True)
add("Flatten/first", "L.Flatten(data_format='channels_first')", f(2, 4, 3, 2), both=True)
add("Flatten/dynamic", "L.Flatten()", f(2, 4, 3, dynamic=[1]))
add("Flatten/vector", "L.Flatten()", f(3))
add("Reshape", "L.Reshape((3, 4))", f(2, 4, 3), both=True)
add("Reshape/rest", "L.Reshape((-1, 2))", f(2, 4, 3), both=True)
add("Reshape/dynamic", "L.Reshape((-1, 6))", f(2, 4, 3, dynamic=[1]))
add("Permute", "L.Permute((2, 3, 1))", f(2, 4, 3, 5), both=True)
add("RepeatVector", "L.RepeatVector(3)", f(2, 4), both=True)
add("ZeroPadding1D", "L.ZeroPadding1D((1, 2))", f(2, 4, 3), both=True)
add("ZeroPadding2D", "L.ZeroPadding2D(((1, 2), (0, 3)))", f(2, 4, 3, 2), both=True)
add("ZeroPadding2D/two", "L.ZeroPadding2D((1, 2))", f(2, 4, 3, 2))
add("ZeroPadding2D/first", "L.ZeroPadding2D((1, 2), data_format='channels_first')", f(2, 2, 4, 3))
add("ZeroPadding3D", "L.ZeroPadding3D(((1, 2), (0, 3), (1, 0)))", f(2, 4, 3, 2, 2))
add("Cropping1D", "L.Cropping1D((1, 2))", f(2, 6, 3), both=True)
add("Cropping2D", "L.Cropping2D(((1, 2), (0, 3)))", f(2, 6, 5, 2), both=True)
add("Cropping2D/first", "L.Cropping2D(((1, 2), (0, 3)), data_format='channels_first')", f(2, 2, 6, 5))
add("Cropping3D", "L.Cropping3D(((1, 2), (0, 1), (1, 0)))", f(2, 6, 5, 4, 2))
add("UpSampling1D", "L.UpSampling1D(3)", f(2, 4, 3), both=True)
add("UpSampling2D", "L.UpSampling2D((2, 3))", f(2, 4, 3, 2), both=True)
add("UpSampling2D/bilinear", "L.UpSampling2D((2, 3), interpolation='bilinear')", f(2, 4, 3, 2), both=True)
add("UpSampling2D/bicubic", "L.UpSampling2D(2, interpolation='bicubic')", f(2, 4, 3, 2))
add("UpSampling2D/first", "L.UpSampling2D(2, data_format='channels_first')", f(2, 2, 4, 3))
add("UpSampling2D/dynamic", "L.UpSampling2D(2)", f(2, 4, 3, 2, dynamic=[1, 2]))
add("UpSampling3D", "L.UpSampling3D((2, 1, 3))", f(1, 2, 3, 2, 2), both=True)

# -- identities while inferring

for layer in ("Dropout(0.5)", "SpatialDropout1D(0.5)", "GaussianDropout(0.5)", "GaussianNoise(1.0)", "AlphaDropout(0.5)", "ActivityRegularization(0.1)"):
    add(layer.partition("(")[0], f"L.{layer}", f(2, 4, 3), both=True)
add("SpatialDropout2D", "L.SpatialDropout2D(0.5)", f(2, 4, 3, 2))
add("SpatialDropout3D", "L.SpatialDropout3D(0.5)", f(2, 2, 2, 2, 2))
for layer in ("RandomBrightness(0.5)", "RandomContrast(0.5)", "RandomFlip()", "RandomRotation(0.5)", "RandomTranslation(0.5, 0.5)", "RandomZoom(0.5)"):
    add(layer.partition("(")[0], f"L.{layer}", f(2, 4, 4, 3, low=0, high=2), both=True)
for layer in ("RandomShear(0.5, 0.5)", "RandomPerspective(0.5)", "RandomInvert()", "RandomErasing()", "RandomElasticTransform()", "RandomGaussianBlur()", "RandomGrayscale()", "RandomColorDegeneration(0.5)", "RandomColorJitter()", "RandomHue(0.5)", "RandomPosterization(4)", "RandomSaturation(0.5)", "RandomSharpness(0.5)", "Solarization()", "RandAugment()", "AugMix()", "MixUp()", "CutMix()", "RandomCrop(3, 3)"):
    add(layer.partition("(")[0], f"L.{layer}", f(2, 4, 4, 3, low=0, high=2))
add("AutoContrast", "L.AutoContrast(value_range=(0, 2))", f(2, 4, 4, 3, low=0, high=2))
add("AutoContrast/255", "L.AutoContrast()", f(2, 4, 4, 3, low=0, high=200))

from . import keras_layers, keras_more, keras_ops, keras_tensorflow  # noqa: E402,F401 - the other cases, which use what is above
