"""What the classes of torch.nn compute.  Source: torch/nn/modules of PyTorch 1.0 to 2.13."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from .run import Run, forward
from .tree import Module

_OLD: dict[str, Any] = {
    "approximate": "none", "ceil_mode": False, "count_include_pad": True, "divisor_override": None, "dilation": 1,
    "max_norm": None, "align_corners": None, "mode": "nearest", "return_indices": False, "padding_idx": None,
    "recompute_scale_factor": None, "eps": 1e-5, "p": 2.0, "keepdim": False}
"""What an attribute is where the version that wrote the file did not have it yet."""

_PLAIN = """
ReLU relu | ReLU6 relu6 | SELU selu | Sigmoid sigmoid | Tanh tanh | LogSigmoid log_sigmoid | Softsign softsign
SiLU silu | Mish mish | Hardsigmoid hardsigmoid | Hardswish hardswish | ELU elu alpha | CELU celu alpha
LeakyReLU leaky_relu negative_slope | Hardtanh hardtanh min_val max_val | Softplus softplus beta threshold
Softshrink softshrink lambd | Hardshrink hardshrink lambd | Threshold threshold threshold value | GLU glu dim
PReLU prelu weight | RReLU rrelu lower upper | PixelShuffle pixel_shuffle upscale_factor
PixelUnshuffle pixel_unshuffle downscale_factor | ChannelShuffle channel_shuffle groups
Flatten flatten start_dim end_dim | Linear linear weight bias | NonDynamicallyQuantizableLinear linear weight bias
_LinearWithBias linear weight bias
AvgPool1d avg_pool1d kernel_size stride padding ceil_mode count_include_pad
AvgPool2d avg_pool2d kernel_size stride padding ceil_mode count_include_pad divisor_override
AvgPool3d avg_pool3d kernel_size stride padding ceil_mode count_include_pad divisor_override
LayerNorm layer_norm normalized_shape weight bias eps | GroupNorm group_norm num_groups weight bias eps
LocalResponseNorm local_response_norm size alpha beta k | RMSNorm rms_norm normalized_shape weight eps
Unfold im2col kernel_size dilation padding stride | Fold col2im output_size kernel_size dilation padding stride
"""
"""Class, operator of ATen, and the attributes that are its arguments, in its order."""


def _row(text: str) -> None:
    name, operator, *names = text.split()

    @forward(f"torch.nn.{name}")
    def plain(run: Run, m: Module, x: Any) -> Any:
        rest = [m.get(n, _OLD[n]) if n in _OLD else getattr(m, n) for n in names]
        return run.call(operator + "_" * bool(m.get("inplace", False)), x, *rest)


for _text in _PLAIN.replace("\n", "|").split("|"):
    if _text.strip():
        _row(_text)


@forward("torch.nn.Identity", "torch.nn.Dropout", "torch.nn.Dropout1d", "torch.nn.Dropout2d", "torch.nn.Dropout3d",
         "torch.nn.AlphaDropout", "torch.nn.FeatureAlphaDropout")
def same(run: Run, m: Module, x: Any, *args: Any) -> Any:
    return x


@forward("torch.nn.Sequential", "torch.nn.DataParallel", "torch.nn.parallel.data_parallel.DataParallel",
         "torch.nn.parallel.distributed.DistributedDataParallel")
def sequential(run: Run, m: Module, x: Any) -> Any:
    return run.sequence(m, x)


@forward("torch.nn.ModuleList", "torch.nn.ModuleDict", "torch.nn.ParameterList", "torch.nn.ParameterDict")
def container(run: Run, m: Module, *args: Any) -> Any:
    raise Unsupported(f"{m.kind} has no forward method: what calls its parts is not in the file", m.node)


@forward("torch.nn.GELU")
def gelu(run: Run, m: Module, x: Any) -> Any:
    return run.call("gelu", x, approximate=m.get("approximate", "none"))


@forward("torch.nn.Tanhshrink")
def tanhshrink(run: Run, m: Module, x: Any) -> Any:
    return run.call("sub", x, run.call("tanh", x))


def _softmax_axis(run: Run, m: Module, x: Any) -> int:
    dim = m.get("dim")
    return int(dim) if dim is not None else 0 if run.rank(x) in (0, 1, 3) else 1


@forward("torch.nn.Softmax")
def softmax(run: Run, m: Module, x: Any) -> Any:
    return run.call("softmax", x, _softmax_axis(run, m, x))


@forward("torch.nn.Softmin")
def softmin(run: Run, m: Module, x: Any) -> Any:
    return run.call("softmax", run.call("neg", x), _softmax_axis(run, m, x))


@forward("torch.nn.LogSoftmax")
def log_softmax(run: Run, m: Module, x: Any) -> Any:
    return run.call("log_softmax", x, _softmax_axis(run, m, x))


@forward("torch.nn.Softmax2d")
def softmax2d(run: Run, m: Module, x: Any) -> Any:
    return run.call("softmax", x, -3)


@forward("torch.nn.Unflatten")
def unflatten(run: Run, m: Module, x: Any) -> Any:
    sizes = m.unflattened_size
    if not isinstance(m.dim, int) or not all(isinstance(n, int) for n in sizes):
        raise Unsupported("Unflatten of named dimensions", m.node)
    return run.call("unflatten", x, m.dim, list(sizes))


@forward("torch.nn.Bilinear")
def bilinear(run: Run, m: Module, a: Any, b: Any) -> Any:
    return run.call("bilinear", a, b, m.weight, m.bias)


@forward("torch.nn.CosineSimilarity")
def cosine(run: Run, m: Module, a: Any, b: Any) -> Any:
    return run.call("cosine_similarity", a, b, m.dim, m.eps)


@forward("torch.nn.PairwiseDistance")
def pairwise(run: Run, m: Module, a: Any, b: Any) -> Any:
    gap = run.call("add", run.call("sub", a, b), m.eps)
    return run.call("linalg_vector_norm", gap, m.norm, [-1], m.get("keepdim", False))


# -- convolutions


@forward("torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d")
def conv(run: Run, m: Module, x: Any) -> Any:
    operator, padding = f"conv{m.kind[-2:]}", m.padding
    mode = m.get("padding_mode", "zeros")
    if mode != "zeros":
        around = m.get("_reversed_padding_repeated_twice")
        if around is None:
            raise Unsupported(f"padding_mode {mode!r} of PyTorch before 1.5, which counted it otherwise", m.node)
        x, padding = run.call("pad", x, list(around), mode), 0
    return run.call(operator, x, m.weight, m.bias, m.stride, padding, m.dilation, m.groups)


@forward("torch.nn.ConvTranspose1d", "torch.nn.ConvTranspose2d", "torch.nn.ConvTranspose3d")
def conv_transpose(run: Run, m: Module, x: Any, output_size: Any = None) -> Any:
    if output_size is not None:
        raise Unsupported("a transposed convolution whose output size is given", m.node)
    return run.call(f"conv_transpose{m.kind[-2:]}", x, m.weight, m.bias, m.stride, m.padding, m.output_padding,
                    m.groups, m.dilation)


# -- norms


@forward("torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d", "torch.nn.SyncBatchNorm",
         "torchvision.FrozenBatchNorm2d")
def batch_norm(run: Run, m: Module, x: Any) -> Any:
    mean, var = m.get("running_mean"), m.get("running_var")
    return run.call("batch_norm", x, m.weight, m.bias, mean, var, mean is None, 0.0, m.eps, False)


@forward("torch.nn.InstanceNorm1d", "torch.nn.InstanceNorm2d", "torch.nn.InstanceNorm3d")
def instance_norm(run: Run, m: Module, x: Any) -> Any:
    mean, var = m.get("running_mean"), m.get("running_var")
    alone = run.rank(x) == int(m.kind[-2]) + 1
    y = run.call("instance_norm", run.call("unsqueeze", x, 0) if alone else x, m.weight, m.bias, mean, var,
                 mean is None, 0.0, m.eps, False)
    return run.call("squeeze", y, 0) if alone else y


# -- pools


@forward("torch.nn.MaxPool1d", "torch.nn.MaxPool2d", "torch.nn.MaxPool3d")
def max_pool(run: Run, m: Module, x: Any) -> Any:
    name = f"max_pool{m.kind[-2:]}" + "_with_indices" * bool(m.get("return_indices", False))
    return run.call(name, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode)


def _wanted(run: Run, m: Module, x: Any) -> list[Any]:
    """The output size of an adaptive pool, None for as it is."""
    count = int(m.kind[-2])
    size = m.output_size
    size = list(size) if isinstance(size, (list, tuple)) else [size] * count
    return [run.size(x, k - count) if n is None else n for k, n in enumerate(size)]


@forward("torch.nn.AdaptiveAvgPool1d", "torch.nn.AdaptiveAvgPool2d", "torch.nn.AdaptiveAvgPool3d")
def adaptive_avg_pool(run: Run, m: Module, x: Any) -> Any:
    return run.call(f"adaptive_avg_pool{m.kind[-2:]}", x, _wanted(run, m, x))


@forward("torch.nn.AdaptiveMaxPool1d", "torch.nn.AdaptiveMaxPool2d", "torch.nn.AdaptiveMaxPool3d")
def adaptive_max_pool(run: Run, m: Module, x: Any) -> Any:
    y = run.call(f"adaptive_max_pool{m.kind[-2:]}", x, _wanted(run, m, x))
    return y if m.get("return_indices", False) or not isinstance(y, list) else y[0]


@forward("torch.nn.LPPool1d", "torch.nn.LPPool2d", "torch.nn.LPPool3d")
def lp_pool(run: Run, m: Module, x: Any) -> Any:
    count = int(m.kind[-2])
    size = list(m.kernel_size) if isinstance(m.kernel_size, (list, tuple)) else [m.kernel_size] * count
    area = 1
    for n in size:
        area *= n
    p = float(m.norm_type)
    y = run.call(f"avg_pool{count}d", run.call("pow", x, p), size, m.stride, 0, m.ceil_mode)
    y = run.call("mul", run.call("sign", y), run.call("relu", run.call("abs", y)))
    return run.call("pow", run.call("mul", y, area), 1.0 / p)


# -- padding and sizes


def _padding(m: Module) -> list[int]:
    p = m.padding
    return list(p) if isinstance(p, (list, tuple)) else [p] * (2 * int(m.kind[-2]))


for _mode, _stem in (("constant", "ConstantPad"), ("constant", "ZeroPad"), ("reflect", "ReflectionPad"),
                     ("replicate", "ReplicationPad"), ("circular", "CircularPad")):
    @forward(*(f"torch.nn.{_stem}{n}d" for n in (1, 2, 3)))
    def padded(run: Run, m: Module, x: Any, mode: str = _mode) -> Any:
        return run.call("pad", x, _padding(m), mode, m.get("value", 0) if mode == "constant" else None)


@forward("torch.nn.Upsample", "torch.nn.UpsamplingNearest2d", "torch.nn.UpsamplingBilinear2d")
def upsample(run: Run, m: Module, x: Any) -> Any:
    factor = m.get("scale_factor")
    return interpolated(run, x, m.size, factor, m.mode, m.get("align_corners"),
                        bool(m.get("recompute_scale_factor") or False))


def interpolated(run: Run, x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                 align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                 antialias: bool = False) -> Any:
    """torch.nn.functional.interpolate."""
    count = run.rank(x) - 2
    kinds = {"nearest": "nearest", "nearest-exact": "_nearest-exact", "linear": "linear", "bilinear": "bilinear",
             "trilinear": "trilinear", "bicubic": "bicubic"}
    if mode == "area":
        if size is None:
            raise Unsupported("interpolation by area with a factor")
        return run.call(f"adaptive_avg_pool{count}d", x, list(size) if isinstance(size, (list, tuple)) else
                        [size] * count)
    if antialias or mode not in kinds:
        raise Unsupported(f"interpolation in the mode {mode!r}" + " with antialias" * antialias)
    sizes = None if size is None else list(size) if isinstance(size, (list, tuple)) else [size] * count
    factors = None if scale_factor is None else [float(f) for f in scale_factor] \
        if isinstance(scale_factor, (list, tuple)) else [float(scale_factor)] * count
    if factors is not None and recompute_scale_factor:
        given = [run.size(x, 2 + k) for k in range(count)]
        if not all(isinstance(n, int) for n in given):
            if any(f != int(f) for f in factors):
                raise Unsupported("a factor that is computed anew of sizes that are not known")
        else:
            sizes, factors = [int(n * f) for n, f in zip(given, factors, strict=True)], None  # type: ignore[operator]
    name = f"{'_upsample_nearest_exact' if mode == 'nearest-exact' else 'upsample_' + kinds[mode]}{count}d"
    corners = () if mode.startswith("nearest") else (bool(align_corners),)
    return run.machine.call(name, [x, sizes, *corners, factors], {}, "vec", run.label)


@forward("torch.nn.EmbeddingBag")
def embedding_bag(run: Run, m: Module, x: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
    if run.rank(x) != 2 or offsets is not None or m.get("max_norm") is not None:
        raise Unsupported("an EmbeddingBag of other than rows of one length", m.node)
    if m.get("padding_idx") is not None:
        raise Unsupported("an EmbeddingBag with padding", m.node)
    rows = run.call("embedding", m.weight, x)
    if per_sample_weights is not None:
        rows = run.call("mul", rows, run.call("unsqueeze", per_sample_weights, -1))
    if m.mode == "max":
        return run.call("amax", rows, [1])
    return run.call(m.mode, rows, [1])


@forward("torch.nn.Embedding")
def embedding(run: Run, m: Module, x: Any) -> Any:
    if m.get("max_norm") is not None:
        raise Unsupported("an Embedding that bounds its rows (max_norm)", m.node)
    return run.call("embedding", m.weight, x)
