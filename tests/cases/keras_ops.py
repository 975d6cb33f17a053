"""Functions of ``keras.ops`` that :mod:`.keras_more` leaves out, as nodes of functional models."""
from __future__ import annotations

import numpy as np

from .keras import add, f, given, i

nan, inf = np.nan, np.inf
_GAPS = [[1.0, nan, 3.0, -2.0], [nan, nan, nan, nan], [0.5, 4.0, nan, 2.0]]


def gaps():
    """Numbers of which some are missing, all of one row."""
    return given(_GAPS, "float32")


# -- numbers

for name in ("heaviside", "fmod", "fmax", "fmin", "logaddexp2", "inner", "outer", "isclose"):
    add(f"ops/{name}", f"lambda x, y: ops.{name}(x, y)", f(3, 4), f(3, 4))
add("ops/vdot", "lambda x, y: ops.vdot(x, y)", f(5, batch=False), f(5, batch=False))
add("ops/fmod_int", "lambda x, y: ops.fmod(x, y)", i(2, 7, low=-9), i(2, 7, low=1))
add("ops/fmax_nan", "lambda x: ops.fmax(x, 1.0)", gaps())
add("ops/fmin_nan", "lambda x: ops.fmin(x, ops.flip(x, 1))", gaps())
add("ops/ldexp", "lambda x, y: ops.ldexp(x, y)", f(2, 4), i(2, 4, low=-3, high=4))
for name in ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift"):
    add(f"ops/{name}", f"lambda x, y: ops.{name}(x, y)", i(2, 5, low=-99, high=99), i(2, 5, high=5))
add("ops/signbit", "lambda x: ops.signbit(x)", given([[-1.0, -0.0, 0.0, 2.0]], "float32"))
add("ops/signbit_int", "lambda x: ops.signbit(x)", i(2, 4, low=-5))
for name in ("isneginf", "isposinf", "isinf", "isnan", "isfinite"):
    add(f"ops/{name}_special", f"lambda x: ops.{name}(x)", given([[nan, inf, -inf, 1.0]], "float32"))
for name in ("isreal", "imag", "real", "conj", "angle", "absolute", "cbrt", "erfc", "logical_not", "stop_gradient", "copy"):
    add(f"ops/{name}", f"lambda x: ops.{name}(x)", f(2, 5))
add("ops/bitwise_not", "lambda x: ops.bitwise_not(x)", i(2, 4, low=-5))
add("ops/isclose_near", "lambda x, y: ops.isclose(x, y, rtol=0.5, atol=0.1)", given([[1.0, 2.0, inf, -inf, nan, 0.0]], "float32"), given([[1.2, 5.0, inf, inf, nan, 0.2]], "float32"))
add("ops/isclose_nan", "lambda x: ops.isclose(x, ops.flip(x, 1), equal_nan=True)", gaps())
add("ops/allclose", "lambda x, y: ops.allclose(x, y, rtol=9.0)", f(2, 4), f(2, 4))
add("ops/isin", "lambda x: ops.isin(x, np.array([1, 3, 5], 'int32'))", i(2, 5))
add("ops/isin_invert", "lambda x, y: ops.isin(x, y, invert=True)", i(2, 5), i(1, 3))
for side in ("left", "right"):
    add(f"ops/searchsorted_{side}", f"lambda x: ops.searchsorted(np.array([-1.0, 0.0, 0.5, 1.0], 'float32'), x, side='{side}')", f(6, batch=False))
add("ops/unravel_index", "lambda x: ops.unravel_index(x, (3, 4, 2))", given([3, 7, 23, 0], "int32"))
add("ops/clip_int", "lambda x: ops.clip(x, 2, 5)", i(2, 6))
add("ops/logical_xor", "lambda x, y: ops.logical_xor(x > 0, y > 0)", f(2, 6), f(2, 6))
add("ops/true_divide", "lambda x, y: ops.true_divide(x, y)", i(2, 4, low=-4), i(2, 4, low=1))
add("ops/saturate_cast", "lambda x: ops.saturate_cast(x * 100, 'int8')", f(2, 6))
add("ops/round_decimals", "lambda x: ops.round(x, 1)", f(2, 6))
add("ops/round_int", "lambda x: ops.round(x)", i(2, 6))
add("ops/where_bool", "lambda x, y: ops.where(x > y, x > 0, y > 0)", f(2, 6), f(2, 6))
add("ops/full_like", "lambda x: ops.full_like(x, 2.5)", f(2, 6))
add("ops/ones_like_dtype", "lambda x: ops.ones_like(x, dtype='int32')", f(2, 6))
add("ops/convert_to_tensor", "lambda x: ops.convert_to_tensor(x, dtype='int32')", f(2, 6))

# -- over axes

for name in ("nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanargmax", "nanargmin"):
    add(f"ops/{name}", f"lambda x: ops.{name}(x, axis=1)", gaps())
    add(f"ops/{name}_keep", f"lambda x: ops.{name}(x, axis=0, keepdims=True)", gaps())
    if "arg" not in name:
        add(f"ops/{name}_all", f"lambda x: ops.{name}(x)", gaps())
for name in ("nancumsum", "nancumprod", "cumprod", "cumsum"):
    add(f"ops/{name}_rows", f"lambda x: ops.{name}(x, axis=1)", gaps() if name[0] == "n" else f(2, 5))
    add(f"ops/{name}_all", f"lambda x: ops.{name}(x)", f(2, 5, batch=False))
add("ops/cumprod_middle", "lambda x: ops.cumprod(x, axis=1)", f(2, 4, 3))
add("ops/ptp", "lambda x: ops.ptp(x, axis=1)", f(2, 4, 3))
add("ops/ptp_all", "lambda x: ops.ptp(x, keepdims=True)", f(2, 4, 3))
add("ops/median", "lambda x: ops.median(x, axis=1)", f(2, 5, 3))
add("ops/median_even", "lambda x: ops.median(x, axis=(1, 2), keepdims=True)", f(2, 4, 3))
add("ops/median_all", "lambda x: ops.median(x)", f(2, 5, batch=False))
add("ops/median_nan", "lambda x: ops.median(x, axis=1)", gaps())
add("ops/median_int", "lambda x: ops.median(x, axis=-1)", i(2, 6))
add("ops/quantile", "lambda x: ops.quantile(x, 0.3, axis=1)", f(2, 7))
add("ops/quantile_several", "lambda x: ops.quantile(x, np.array([0.1, 0.5, 1.0], 'float32'), axis=1, keepdims=True)", f(2, 7, 3))
add("ops/quantile_axes", "lambda x: ops.quantile(x, np.array([0.25, 0.75], 'float32'), axis=(1, 2))", f(2, 4, 3))
for method in ("lower", "higher", "nearest", "midpoint", "linear"):
    add(f"ops/percentile_{method}", f"lambda x: ops.percentile(x, 30, axis=1, method='{method}')", f(2, 7))
add("ops/argmax_all", "lambda x: ops.argmax(x)", f(2, 7))
add("ops/all_axes", "lambda x: ops.all(x > -1, axis=(0, 1), keepdims=True)", f(2, 7))
add("ops/max_initial", "lambda x: ops.max(x, axis=1, initial=1.5)", f(2, 7))
add("ops/amax", "lambda x: ops.amax(x, axis=1)", f(2, 7))
add("ops/amin", "lambda x: ops.amin(x, axis=1)", f(2, 7))
add("ops/sum_bool", "lambda x: ops.sum(x > 0, axis=1)", f(2, 7))
add("ops/mean_int", "lambda x: ops.mean(x, axis=1)", i(2, 7))
add("ops/prod_int", "lambda x: ops.prod(x, axis=1)", i(2, 4))
add("ops/count_nonzero_all", "lambda x: ops.count_nonzero(x)", i(2, 7, high=2))
add("ops/norm_one", "lambda x: ops.norm(x, ord=1, axis=-1)", f(2, 3, 4))
add("ops/norm_fro", "lambda x: ops.norm(x, ord='fro', axis=(1, 2), keepdims=True)", f(2, 3, 4))
add("ops/moments_keep", "lambda x: ops.moments(x, axes=[1, 2], keepdims=True)", f(2, 3, 4))
add("ops/argsort_all", "lambda x: ops.argsort(x, axis=None)", f(2, 5, batch=False))
add("ops/trapezoid", "lambda x: ops.trapezoid(x, dx=0.5, axis=1)", f(2, 5, 3))
add("ops/corrcoef", "lambda x: ops.corrcoef(x)", f(3, 6))
add("ops/vander", "lambda x: ops.vander(x, 4)", f(5, batch=False))
add("ops/vander_increasing", "lambda x: ops.vander(x, increasing=True)", f(3, batch=False))
add("ops/in_top_k", "lambda x, y: ops.in_top_k(x, y, 2)", i(4, high=5), f(4, 5))
for mode in ("valid", "same", "full"):
    add(f"ops/correlate_{mode}", f"lambda x: ops.correlate(x, np.array([1.0, -2.0, 0.5, 3.0], 'float32'), mode='{mode}')", f(9, batch=False))

# -- products

add("ops/kron", "lambda x, y: ops.kron(x, y)", f(2, 3, batch=False), f(2, 2, batch=False))
add("ops/cross", "lambda x, y: ops.cross(x, y)", f(2, 4, 3), f(2, 4, 3))
add("ops/cross_axis", "lambda x, y: ops.cross(x, y, axis=1)", f(2, 3, 4), f(2, 3, 4))
add("ops/cdist", "lambda x, y: ops.cdist(x, y)", f(2, 4, 3), f(2, 5, 3))
add("ops/det", "lambda x: ops.det(x)", f(2, 3, 3))
EYE = "np.eye({}, dtype='float32')"
DEFINITE = "ops.matmul(x, ops.transpose(x, (0, 2, 1))) + " + EYE.format(4)
for n in (2, 5):
    add(f"ops/inv_{n}", f"lambda x: ops.inv(x + 4 * {EYE.format(n)})", f(2, n, n))
add("ops/inv_more", f"lambda x: ops.inv(x + 6 * {EYE.format(4)})", f(2, 3, 4, 4))
add("ops/solve", f"lambda x, y: ops.solve(x + 6 * {EYE.format(4)}, y)", f(2, 4, 4), f(2, 4, 3))
add("ops/solve_column", f"lambda x, y: ops.solve(x + 6 * {EYE.format(4)}, y)", f(2, 4, 4), f(2, 4))
for lower in (False, True):
    add(f"ops/solve_triangular{'_lower' * lower}", f"lambda x, y: ops.solve_triangular(x + 4 * {EYE.format(4)}, y, lower={lower})", f(2, 4, 4), f(2, 4, 3))
add("ops/solve_triangular_column", f"lambda x, y: ops.solve_triangular(x + 4 * {EYE.format(4)}, y)", f(2, 4, 4), f(2, 4))
for upper in (False, True):
    add(f"ops/cholesky{'_upper' * upper}", f"lambda x: ops.cholesky({DEFINITE}, upper={upper})", f(2, 4, 4))
    add(f"ops/cholesky_inverse{'_upper' * upper}", f"lambda x: ops.cholesky_inverse(x + 4 * {EYE.format(4)}, upper={upper})", f(4, 4, batch=False))
for mode in ("reduced", "complete"):
    add(f"ops/qr_{mode}", f"lambda x: list(ops.qr(x, mode='{mode}'))", f(2, 5, 3))
add("ops/slogdet", "lambda x: list(ops.slogdet(x))", f(3, 4, 4))
add("ops/logdet", f"lambda x: ops.logdet({DEFINITE})", f(2, 4, 4))
add("ops/dot_3", "lambda x, y: ops.dot(x, y)", f(2, 3, 4, batch=False), f(2, 4, 5, batch=False))
add("ops/tensordot_axes", "lambda x, y: ops.tensordot(x, y, axes=[[1], [0]])", f(2, 3, 4, batch=False), f(3, 2, batch=False))
add("ops/einsum_one", "lambda x: ops.einsum('bij->bji', x)", f(2, 3, 4))
add("ops/matmul_int", "lambda x, y: ops.matmul(x, y)", i(2, 3, 4), i(2, 4, 2))

# -- places

add("ops/diagonal", "lambda x: ops.diagonal(x, axis1=1, axis2=2)", f(2, 4, 5))
add("ops/diagonal_offset", "lambda x: ops.diagonal(x, offset=-1, axis1=2, axis2=1)", f(2, 4, 5))
add("ops/trace", "lambda x: ops.trace(x, offset=1, axis1=1, axis2=2)", f(2, 4, 5))
add("ops/diag", "lambda x: ops.diag(x, k=1)", f(4, batch=False))
add("ops/diag_matrix", "lambda x: ops.diag(x, k=-1)", f(4, 3, batch=False))
add("ops/diagflat", "lambda x: ops.diagflat(x, k=-2)", f(2, 2, batch=False))
add("ops/hsplit", "lambda x: ops.hsplit(x, 2)", f(2, 4, 3))
add("ops/vsplit", "lambda x: ops.vsplit(x, [1])", f(3, 4, batch=False))
add("ops/dsplit", "lambda x: ops.dsplit(x, 3)", f(2, 4, 3))
add("ops/array_split", "lambda x: ops.array_split(x, 3, axis=1)", f(2, 7))
add("ops/dstack", "lambda x, y: ops.dstack([x, y])", f(2, 4), f(2, 4))
add("ops/hstack", "lambda x, y: ops.hstack([x, y])", f(2, 4), f(2, 3))
add("ops/vstack", "lambda x, y: ops.vstack([x, y])", f(2, 4), f(2, 4))
add("ops/append", "lambda x, y: ops.append(x, y, axis=1)", f(2, 4), f(2, 3))
add("ops/append_flat", "lambda x, y: ops.append(x, y)", f(2, 4), f(2, 3))
for k in (1, 2, 3):
    add(f"ops/rot90_{k}", f"lambda x: ops.rot90(x, k={k}, axes=(1, 2))", f(2, 3, 3 if k == 2 else 4))  # what is no square Keras 3.15 mixes up where it turns it twice on TensorFlow
for indexing in ("xy", "ij"):
    add(f"ops/meshgrid_{indexing}", f"lambda x, y: ops.meshgrid(x, y, indexing='{indexing}')", f(3, batch=False), f(4, batch=False))
add("ops/select", "lambda x, y: ops.select([x > 1, x > 0], [x, y], 0.5)", f(2, 6), f(2, 6))
add("ops/rearrange", "lambda x: ops.rearrange(x, 'b h w c -> b (h w) c')", f(2, 3, 4, 2, batch=False))
add("ops/rearrange_apart", "lambda x: ops.rearrange(x, 'b (h p) (w q) c -> b (h w) (p q c)', p=2, q=3)", f(2, 4, 6, 2, batch=False))
add("ops/slice", "lambda x: ops.slice(x, (0, 1, 2), (2, 2, 1))", f(2, 4, 3, batch=False))
add("ops/slice_update", "lambda x, y: ops.slice_update(x, (0, 1, 1), y)", f(2, 4, 3, batch=False), f(2, 2, 2, batch=False))
add("ops/scatter", "lambda i, x: ops.scatter(i, x, (5, 3))", given([[1], [4], [1]], "int32"), f(3, 3))
add("ops/scatter_update", "lambda x, y: ops.scatter_update(x, np.array([[0, 1], [1, 2]], 'int32'), y)", f(2, 3, batch=False), f(2, batch=False))
for name in ("sum", "max", "min", "prod"):
    add(f"ops/segment_{name}", f"lambda x, i: ops.segment_{name}(x, i, num_segments=4)", f(5, 3, batch=False), given([0, 2, 2, 0, 3], "int32"))
add("ops/segment_sum_outside", "lambda x, i: ops.segment_sum(x, i, num_segments=3)", f(5, 3, batch=False), given([0, 2, -1, 0, 1], "int32"))
add("ops/take_flat", "lambda x: ops.take(x, np.array([2, 0, 5]))", f(2, 4, batch=False))
add("ops/take_negative", "lambda x: ops.take(x, np.array([-1, 0]), axis=1)", f(2, 4))
add("ops/take_along_axis_flat", "lambda x, y: ops.take_along_axis(x, y)", f(2, 4, batch=False), i(3, high=4))
add("ops/multi_hot", "lambda x: ops.multi_hot(x, 6)", i(2, 3, high=6))
add("ops/one_hot_axis", "lambda x: ops.one_hot(x, 4, axis=1, dtype='int32')", i(2, 3, high=4))
add("ops/diff_two", "lambda x: ops.diff(x, n=2, axis=1)", f(2, 6))
add("ops/repeat_each", "lambda x: ops.repeat(x, [1, 0, 2], axis=1)", f(2, 3))
add("ops/roll_flat", "lambda x: ops.roll(x, -3)", f(2, 5, batch=False))
add("ops/roll_axes", "lambda x: ops.roll(x, (1, -2), axis=(1, 2))", f(2, 4, 5))
add("ops/fliplr", "lambda x: ops.fliplr(x)", f(2, 4, 5))
add("ops/flipud", "lambda x: ops.flipud(x)", f(3, 4))
add("ops/flip_all", "lambda x: ops.flip(x)", f(2, 4, 5))
add("ops/triu", "lambda x: ops.triu(x, k=1)", f(2, 3, 4))
add("ops/broadcast_to", "lambda x: ops.broadcast_to(x, (2, 3, 4))", f(2, 1, 4, batch=False))
add("ops/squeeze_all", "lambda x: ops.squeeze(x)", f(2, 1, 3, 1, batch=False))
add("ops/split_three", "lambda x: ops.split(x, 3, axis=1)", f(2, 6))
add("ops/stack_last", "lambda x, y: ops.stack([x, y], axis=-1)", f(2, 3), f(2, 3))
add("ops/getitem_tensor", "lambda x: x[:, ::2, -2:]", f(2, 5, 4))
add("ops/getitem_last", "lambda x: x[..., -1]", f(2, 5, 4))

# -- losses, signals, images

for name in ("binary_crossentropy", "categorical_crossentropy"):
    add(f"ops/{name}", f"lambda x, y: ops.{name}(x, y)", f(2, 4, low=0, high=1), f(2, 4, low=0.1, high=1))
    add(f"ops/{name}_logits", f"lambda x, y: ops.{name}(x, y, from_logits=True)", f(2, 4, low=0, high=1), f(2, 4))
add("ops/sparse_categorical_crossentropy", "lambda x, y: ops.sparse_categorical_crossentropy(x, y)", i(3, high=4), f(3, 4, low=0.1, high=1))
add("ops/sparse_categorical_crossentropy_logits", "lambda x, y: ops.sparse_categorical_crossentropy(x, y, from_logits=True)", i(3, 1, high=4), f(3, 4))
add("ops/psnr", "lambda x, y: ops.psnr(x, y, 2.0)", f(2, 4), f(2, 4))
add("ops/fft", "lambda x, y: ops.fft((x, y))", f(2, 7), f(2, 7))
add("ops/fft2", "lambda x, y: ops.fft2((x, y))", f(2, 4, 5), f(2, 4, 5))
add("ops/ifft2", "lambda x, y: ops.ifft2((x, y))", f(2, 4, 5), f(2, 4, 5))
add("ops/rfft", "lambda x: ops.rfft(x)", f(2, 9))
add("ops/rfft_length", "lambda x: ops.rfft(x, fft_length=6)", f(2, 9))
add("ops/rfft_longer", "lambda x: ops.rfft(x, fft_length=12)", f(2, 9))
add("ops/irfft", "lambda x, y: ops.irfft((x, y))", f(2, 5), f(2, 5))
add("ops/irfft_length", "lambda x, y: ops.irfft((x, y), fft_length=7)", f(2, 5), f(2, 5))
add("ops/stft", "lambda x: ops.stft(x, 12, 5, 16)", f(2, 40))
add("ops/stft_bare", "lambda x: ops.stft(x, 12, 5, 16, window=None, center=False)", f(2, 40))
add("ops/extract_sequences", "lambda x: ops.extract_sequences(x, 5, 2)", f(2, 12))
add("ops/extract_patches", "lambda x: ops.image.extract_patches(x, (2, 3))", f(2, 6, 6, 2))
add("ops/extract_patches_strided", "lambda x: ops.image.extract_patches(x, 3, strides=2, padding='same')", f(2, 6, 5, 2))
add("ops/extract_patches_dilated", "lambda x: ops.image.extract_patches(x, 2, strides=1, dilation_rate=2)", f(2, 6, 5, 2))
add("ops/extract_patches_one", "lambda x: ops.image.extract_patches(x, 2)", f(4, 4, 2, batch=False))
add("ops/pad_images", "lambda x: ops.image.pad_images(x, top_padding=1, left_padding=2, target_height=8, target_width=9)", f(2, 5, 6, 2))
add("ops/crop_images", "lambda x: ops.image.crop_images(x, top_cropping=1, right_cropping=2, target_height=3, target_width=3)", f(2, 5, 6, 2))
add("ops/unfold", "lambda x: ops.nn.unfold(x, (2, 3), dilation=1, padding=1, stride=2)", f(2, 2, 5, 6, batch=False))
add("ops/fold", "lambda x: ops.nn.fold(x, (4, 5), (2, 2), stride=1)", f(2, 8, 12, batch=False))
add("ops/gaussian_blur", "lambda x: ops.image.gaussian_blur(x, (3, 3), (0.8, 1.5))", f(2, 5, 6, 3))
add("ops/sobel_edges", "lambda x: ops.image.sobel_edges(x)", f(2, 5, 6, 3))
add("ops/rgb_to_hsv", "lambda x: ops.image.rgb_to_hsv(x)", f(2, 4, 4, 3, low=0, high=1))
add("ops/hsv_to_rgb", "lambda x: ops.image.hsv_to_rgb(x)", f(2, 4, 4, 3, low=0, high=1))
add("ops/rgb_to_hsv_grey", "lambda x: ops.image.rgb_to_hsv(x)", given([[[[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 0.5]]]], "float32"))
add("ops/rgb_to_grayscale_first", "lambda x: ops.image.rgb_to_grayscale(x, data_format='channels_first')", f(2, 3, 5, 6))
for mode in ("nearest", "bicubic", "lanczos3"):
    add(f"ops/resize_{mode}", f"lambda x: ops.image.resize(x, (4, 9), interpolation='{mode}')", f(2, 5, 6, 2))
add("ops/resize_antialias", "lambda x: ops.image.resize(x, (3, 4), antialias=True)", f(2, 5, 6, 2))
add("ops/depthwise_conv", "lambda x: ops.depthwise_conv(x, np.arange(36, dtype='float32').reshape(3, 3, 2, 2), padding='same')", f(2, 5, 6, 2))
add("ops/separable_conv", "lambda x: ops.separable_conv(x, np.arange(18, dtype='float32').reshape(3, 3, 2, 1), np.ones((1, 1, 2, 3), 'float32'))", f(2, 5, 6, 2))
add("ops/batch_normalization", "lambda x: ops.batch_normalization(x, np.array([1.0, 2.0], 'float32'), np.array([4.0, 9.0], 'float32'), -1, np.array([0.5, 1.0], 'float32'), np.array([2.0, 3.0], 'float32'))", f(2, 5, 2))
add("ops/adaptive_average_pool", "lambda x: ops.adaptive_average_pool(x, (2, 3))", f(2, 4, 6, 2))
add("ops/max_pool_same", "lambda x: ops.max_pool(x, 3, strides=2, padding='same')", f(2, 5, 6, 2))
add("ops/layer_normalization_weights", "lambda x: ops.layer_normalization(x, np.array([1.0, 2.0, 3.0], 'float32'), np.array([0.5, 0.0, 1.0], 'float32'), axis=-1, epsilon=0.01)", f(2, 4, 3))
add("ops/rms_normalization_weights", "lambda x: ops.rms_normalization(x, np.array([1.0, 2.0, 3.0], 'float32'), axis=-1)", f(2, 4, 3))
add("ops/normalize_axis", "lambda x: ops.normalize(x, axis=(1, 2))", f(2, 4, 3))
add("ops/dot_product_attention_mask", "lambda x, y, m: ops.dot_product_attention(x, y, y, mask=m, scale=0.5)", f(2, 5, 2, 3), f(2, 4, 2, 3), given(np.arange(80).reshape(2, 2, 5, 4) % 3 > 0))
add("ops/dot_product_attention_bias", "lambda x, y, b: ops.dot_product_attention(x, y, y, bias=b)", f(2, 5, 4, 3), f(2, 4, 2, 3), f(2, 4, 5, 4))
for name in ("soft_shrink", "hard_shrink"):
    add(f"ops/{name}_threshold", f"lambda x: ops.{name}(x, 1.0)", f(2, 6))
add("ops/gelu_exact", "lambda x: ops.gelu(x, approximate=False)", f(2, 6))
add("ops/softmax_all", "lambda x: ops.softmax(x, axis=None)", f(2, 6))
add("ops/sparsemax_axis", "lambda x: ops.sparsemax(x, axis=1)", f(2, 4, 3))
add("ops/sparse_sigmoid", "lambda x: ops.sparse_sigmoid(x)", f(2, 6))

# -- images seen through a plane

TURN = "np.array([0.8, -0.3, 1.5, 0.25, 1.1, -2.25, 0.0, 0.0], 'float32')"
for mode in ("constant", "nearest", "reflect", "wrap"):
    add(f"ops/affine_{mode}", f"lambda x: ops.image.affine_transform(x, {TURN}, fill_mode='{mode}', fill_value=0.5, data_format='channels_last')", f(2, 5, 7, 3))
add("ops/affine_nearest_pixel", f"lambda x: ops.image.affine_transform(x, {TURN}, interpolation='nearest', data_format='channels_last')", f(2, 5, 7, 3))
add("ops/affine_each", "lambda x, t: ops.image.affine_transform(x, t, data_format='channels_last')", f(2, 5, 7, 3), given([[0.8, -0.3, 1.5, 0.25, 1.1, -2.25, 0, 0], [1, 0.5, 0, 0, 1, 0.25, 0.01, -0.02]], "float32"))
add("ops/affine_first", f"lambda x: ops.image.affine_transform(x, {TURN}, data_format='channels_first')", f(2, 3, 5, 7))
add("ops/affine_one", f"lambda x: ops.image.affine_transform(x, {TURN}, data_format='channels_last')", f(5, 7, 3, batch=False))
for mode in ("constant", "nearest", "wrap"):
    for order in (0, 1):
        add(f"ops/map_coordinates_{mode}_{order}", f"lambda x, at: ops.image.map_coordinates(x, at, order={order}, fill_mode='{mode}', fill_value=0.5)", f(4, 5, batch=False), f(2, 3, 6, low=-3, high=7, batch=False))
add("ops/map_coordinates_mirror", "lambda x, at: ops.image.map_coordinates(x, at, order=1, fill_mode='mirror')", f(4, 5, batch=False), f(2, 6, batch=False))
