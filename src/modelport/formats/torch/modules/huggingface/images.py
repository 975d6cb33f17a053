"""ViT and ResNet.  Source: transformers/models/{vit,resnet}."""
from __future__ import annotations

from typing import Any

from .....errors import Unsupported, printable
from .....ir.types import Type
from ..run import Run
from .common import F32, Config, Weights, act, architecture, attend, heads, layer_norm, linear


def _image(c: Config) -> list[Type]:
    size = c.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return [Type(F32, ("batch", c.get("num_channels", 3), int(height), int(width)))]


@architecture("vit", "deit", names=lambda c: ["pixel_values"], inputs=_image)
def vit(run: Run, c: Config, w: Weights, pixel_values: Any) -> Any:
    base = "deit" if c.type == "deit" else "vit"
    root = w(base) if w.has(base) else w
    e = root("embeddings")
    patch = e("patch_embeddings.projection")
    size = c.patch_size
    if list(pixel_values.value.shape[2:]) != list(_image(c)[0].shape or ())[2:]:
        raise Unsupported("an image of another size than the model was made for")
    x = run.call("conv2d", pixel_values, patch["weight"], patch["bias"],
                 list(size) if isinstance(size, (list, tuple)) else [size, size])
    x = run.call("transpose", run.call("flatten", x, 2), 1, 2)
    first = [e["cls_token"], *([e["distillation_token"]] if c.type == "deit" else [])]
    spread = [run.call("expand", t, [run.size(x, 0), -1, -1]) for t in first]
    x = run.call("add", run.call("cat", [*spread, x], 1), e["position_embeddings"])
    w.ignore(f"{e.name}.mask_token")
    for n in range(c.num_hidden_layers):
        layer = root(f"encoder.layer.{n}")
        own = layer("attention.attention")
        y = layer_norm(run, layer("layernorm_before"), x, c.layer_norm_eps)
        q, k, v = (heads(run, linear(run, own(s), y), c.num_attention_heads) for s in ("query", "key", "value"))
        y = attend(run, q, k, v, (c.hidden_size // c.num_attention_heads) ** -0.5)
        x = run.call("add", linear(run, layer("attention.output.dense"), y), x)
        y = act(run, c.hidden_act, linear(run, layer("intermediate.dense"),
                                          layer_norm(run, layer("layernorm_after"), x, c.layer_norm_eps)))
        x = run.call("add", linear(run, layer("output.dense"), y), x)
    x = layer_norm(run, root("layernorm"), x, c.layer_norm_eps)
    head = c.cls.partition("For")[2]
    if not head:
        out = {"last_hidden_state": x}
        if root.has("pooler"):
            y = linear(run, root("pooler.dense"), run.call("select", x, 1, 0))
            out["pooler_output"] = act(run, c.get("pooler_act", "tanh"), y)
        w.ignore("classifier.")
        return out
    if head != "ImageClassification":
        raise Unsupported(f"the class {printable(c.cls, 60)}")
    return {"logits": linear(run, w("classifier"), run.call("select", x, 1, 0))}


def _any_image(c: Config) -> list[Type]:
    return [Type(F32, ("batch", c.get("num_channels", 3), "height", "width"))]


@architecture("resnet", names=lambda c: ["pixel_values"], inputs=_any_image)
def resnet(run: Run, c: Config, w: Weights, pixel_values: Any) -> Any:
    root = w("resnet") if w.has("resnet") else w
    x = _block(run, root("embedder.embedder"), pixel_values, 2, c.hidden_act)
    x = run.call("max_pool2d", x, 3, 2, 1)
    for n, depth in enumerate(c.depths):
        for k in range(depth):
            stride = 1 if k or (n == 0 and not c.get("downsample_in_first_stage", False)) else 2
            x = _resnet_layer(run, c, root(f"encoder.stages.{n}.layers.{k}"), x, stride)
    pooled = run.call("adaptive_avg_pool2d", x, [1, 1])
    head = c.cls.partition("For")[2]
    if not head:
        w.ignore("classifier.")
        return {"last_hidden_state": x, "pooler_output": pooled}
    if head != "ImageClassification":
        raise Unsupported(f"the class {printable(c.cls, 60)}")
    return {"logits": linear(run, w("classifier.1"), run.call("flatten", pooled, 1))}


def _block(run: Run, w: Weights, x: Any, stride: int, name: str = "") -> Any:
    """Convolution, norm, and an activation if one is named."""
    run.label = w.name
    kernel, norm = w("convolution")["weight"], w("normalization")
    size = kernel.value.shape
    assert size is not None and isinstance(size[2], int)
    x = run.call("conv2d", x, kernel, None, stride, size[2] // 2)
    x = run.call("batch_norm", x, norm["weight"], norm["bias"], norm["running_mean"], norm["running_var"], False, 0.0,
                 1e-5, False)
    return act(run, name, x) if name else x


def _resnet_layer(run: Run, c: Config, w: Weights, x: Any, stride: int) -> Any:
    name = c.hidden_act
    shortcut = _block(run, w("shortcut"), x, stride) if w.has("shortcut") else x
    if c.get("layer_type", "bottleneck") == "basic":
        y = _block(run, w("layer.0"), x, stride, name)
        y = _block(run, w("layer.1"), y, 1)
    else:
        early = c.get("downsample_in_bottleneck", False)
        y = _block(run, w("layer.0"), x, stride if early else 1, name)
        y = _block(run, w("layer.1"), y, 1 if early else stride, name)
        y = _block(run, w("layer.2"), y, 1)
    return act(run, name, run.call("add", y, shortcut))
