"""What the classes of torchvision compute.  Source: torchvision/models and torchvision/ops, 0.2 to 0.28."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ..machine import Box
from .quantized import functional
from .run import Run, forward
from .tree import Module


@forward("torchvision.Conv2dNormActivation", "torchvision.Conv3dNormActivation", "torchvision.ConvNormActivation",
         "torchvision.ConvBNReLU", "torchvision.ConvBNActivation", "torchvision.MLP", "torchvision._Transition",
         "torchvision.SimpleStemIN", "torchvision.BottleneckTransform")
def sequence(run: Run, m: Module, x: Any) -> Any:
    return run.sequence(m, x)


@forward("torchvision.LayerNorm2d")
def layer_norm2d(run: Run, m: Module, x: Any) -> Any:
    y = run.call("layer_norm", run.call("permute", x, [0, 2, 3, 1]), list(m.normalized_shape), m.weight, m.bias, m.eps)
    return run.call("permute", y, [0, 3, 1, 2])


@forward("torchvision.Permute")
def permute(run: Run, m: Module, x: Any) -> Any:
    return run.call("permute", x, list(m.dims))


@forward("torchvision.StochasticDepth")
def stochastic_depth(run: Run, m: Module, x: Any) -> Any:
    return x


# -- what those to be quantized have besides


def _quantized(run: Run, m: Module, x: Any) -> Any:
    return run(m.quant, x) if "quant" in m else x


def _real(run: Run, m: Module, x: Any) -> Any:
    return run(m.dequant, x) if "dequant" in m else x


def _functional(run: Run, m: Module, name: str, operator: str, *args: Any) -> Any:
    """An operator, by the part ``name`` of the module that knows the scale of its result, where there is one."""
    part = m.children.get(name)
    return run.call(operator, *args) if part is None else functional(run, part, operator, *args)


# -- ResNet


def _shortcut(run: Run, m: Module, x: Any) -> Any:
    return x if m.get("downsample") is None else run(m.downsample, x)


@forward("torchvision.BasicBlock", "torchvision.QuantizableBasicBlock")
def basic_block(run: Run, m: Module, x: Any) -> Any:
    y = run(m.relu, run(m.bn1, run(m.conv1, x)))
    y = run(m.bn2, run(m.conv2, y))
    if "add_relu" in m:
        return functional(run, m.add_relu, "add_relu", y, _shortcut(run, m, x))
    return run(m.relu, run.call("add", y, _shortcut(run, m, x)))


@forward("torchvision.Bottleneck", "torchvision.QuantizableBottleneck")
def bottleneck(run: Run, m: Module, x: Any) -> Any:
    if "skip_add_relu" in m:
        y = _chain(run, m, x, "conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "conv3", "bn3")
        return functional(run, m.skip_add_relu, "add_relu", y, _shortcut(run, m, x))
    y = run(m.relu, run(m.bn1, run(m.conv1, x)))
    y = run(m.relu, run(m.bn2, run(m.conv2, y)))
    y = run(m.bn3, run(m.conv3, y))
    return run(m.relu, run.call("add", y, _shortcut(run, m, x)))


@forward("torchvision.ResNet", "torchvision.QuantizableResNet")
def resnet(run: Run, m: Module, x: Any) -> Any:
    x = run(m.maxpool, run(m.relu, run(m.bn1, run(m.conv1, _quantized(run, m, x)))))
    for layer in (m.layer1, m.layer2, m.layer3, m.layer4):
        x = run(layer, x)
    return _real(run, m, run(m.fc, run.call("flatten", run(m.avgpool, x), 1)))


# -- features, and a classifier of them


@forward("torchvision.VGG", "torchvision.AlexNet")
def vgg(run: Run, m: Module, x: Any) -> Any:
    x = run(m.features, x)
    if "avgpool" in m:  # torchvision 0.2 had none
        x = run(m.avgpool, x)
    return run(m.classifier, run.call("flatten", x, 1))


@forward("torchvision.SqueezeNet")
def squeezenet(run: Run, m: Module, x: Any) -> Any:
    return run.call("flatten", run(m.classifier, run(m.features, x)), 1)


@forward("torchvision.Fire")
def fire(run: Run, m: Module, x: Any) -> Any:
    x = run(m.squeeze_activation, run(m.squeeze, x))
    return run.call("cat", [run(m.expand1x1_activation, run(m.expand1x1, x)),
                            run(m.expand3x3_activation, run(m.expand3x3, x))], 1)


@forward("torchvision.MobileNetV2", "torchvision.QuantizableMobileNetV2")
def mobilenet_v2(run: Run, m: Module, x: Any) -> Any:
    x = run.call("mean", run(m.features, _quantized(run, m, x)), [2, 3])
    return _real(run, m, run(m.classifier, x))


@forward("torchvision.MobileNetV3", "torchvision.QuantizableMobileNetV3", "torchvision.EfficientNet")
def mobilenet_v3(run: Run, m: Module, x: Any) -> Any:
    x = run(m.features, _quantized(run, m, x))
    return _real(run, m, run(m.classifier, run.call("flatten", run(m.avgpool, x), 1)))


@forward("torchvision.ConvNeXt")
def convnext(run: Run, m: Module, x: Any) -> Any:
    return run(m.classifier, run(m.avgpool, run(m.features, x)))


@forward("torchvision.InvertedResidual", "torchvision.QuantizableInvertedResidual")
def inverted_residual(run: Run, m: Module, x: Any) -> Any:
    """Of MobileNetV2 and V3, and of ShuffleNetV2, which has two branches."""
    if "branch2" in m:
        return _shuffled(run, m, x)
    y = run(m.block if "block" in m else m.conv, x)
    return _functional(run, m, "skip_add", "add", x, y) if m.use_res_connect else y


@forward("torchvision.MBConv", "torchvision.FusedMBConv")
def mbconv(run: Run, m: Module, x: Any) -> Any:
    y = run(m.block, x)
    return run.call("add", y, x) if m.use_res_connect else y


@forward("torchvision.SqueezeExcitation", "torchvision.QuantizableSqueezeExcitation")
def squeeze_excitation(run: Run, m: Module, x: Any) -> Any:
    if "avgpool" in m:
        y = run(m.activation, run(m.fc1, run(m.avgpool, x)))
        y = run(m.scale_activation, run(m.fc2, y))
    else:  # of MobileNetV3 before 0.11
        y = run(m.relu, run(m.fc1, run.call("adaptive_avg_pool2d", x, [1, 1])))
        y = run.call("hardsigmoid", run(m.fc2, y))
    return _functional(run, m, "skip_mul", "mul", y, x)


@forward("torchvision.CNBlock")
def cn_block(run: Run, m: Module, x: Any) -> Any:
    return run.call("add", run.call("mul", m.layer_scale, run(m.block, x)), x)


# -- DenseNet


@forward("torchvision.DenseNet")
def densenet(run: Run, m: Module, x: Any) -> Any:
    x = run.call("adaptive_avg_pool2d", run.call("relu", run(m.features, x)), [1, 1])
    return run(m.classifier, run.call("flatten", x, 1))


@forward("torchvision._DenseBlock")
def dense_block(run: Run, m: Module, x: Any) -> Any:
    found = [x]
    for layer in m.parts():
        found.append(_dense_layer(run, layer, run.call("cat", found, 1)))
    return run.call("cat", found, 1)


def _dense_layer(run: Run, m: Module, x: Any) -> Any:
    names = ("norm1", "relu1", "conv1", "norm2", "relu2", "conv2")
    if "norm.1" in m:  # names of torchvision 0.2
        names = ("norm.1", "relu.1", "conv.1", "norm.2", "relu.2", "conv.2")
    for name in names:
        x = run(m.children[name], x)
    return x


# -- ShuffleNetV2


def _shuffled(run: Run, m: Module, x: Any) -> Any:
    if m.stride == 1:
        a, b = run.call("chunk", x, 2, 1)
        parts = [a, run(m.branch2, b)]
    else:
        parts = [run(m.branch1, x), run(m.branch2, x)]
    return run.call("channel_shuffle", _functional(run, m, "cat", "cat", parts, 1), 2)


@forward("torchvision.ShuffleNetV2", "torchvision.QuantizableShuffleNetV2")
def shufflenet(run: Run, m: Module, x: Any) -> Any:
    x = run(m.maxpool, run(m.conv1, _quantized(run, m, x)))
    for layer in (m.stage2, m.stage3, m.stage4, m.conv5):
        x = run(layer, x)
    return _real(run, m, run(m.fc, run.call("mean", x, [2, 3])))


@forward("torchvision.MNASNet")
def mnasnet(run: Run, m: Module, x: Any) -> Any:
    return run(m.classifier, run.call("mean", run(m.layers, x), [2, 3]))


@forward("torchvision._InvertedResidual")
def mnasnet_block(run: Run, m: Module, x: Any) -> Any:
    y = run(m.layers, x)
    return run.call("add", y, x) if m.apply_residual else y


# -- RegNet


@forward("torchvision.RegNet")
def regnet(run: Run, m: Module, x: Any) -> Any:
    x = run(m.avgpool, run(m.trunk_output, run(m.stem, x)))
    return run(m.fc, run.call("flatten", x, 1))


@forward("torchvision.AnyStage")
def any_stage(run: Run, m: Module, x: Any) -> Any:
    return run.sequence(m, x)


@forward("torchvision.ResBottleneckBlock")
def regnet_block(run: Run, m: Module, x: Any) -> Any:
    shortcut = x if m.get("proj") is None else run(m.proj, x)
    return run(m.activation, run.call("add", shortcut, run(m.f, x)))


# -- GoogLeNet and Inception


@forward("torchvision.BasicConv2d")
def basic_conv(run: Run, m: Module, x: Any) -> Any:
    return run.call("relu", run(m.bn, run(m.conv, x)))


@forward("torchvision.QuantizableBasicConv2d")
def quantizable_conv(run: Run, m: Module, x: Any) -> Any:
    return _chain(run, m, x, "conv", "bn", "relu")


@forward("torchvision.Inception", "torchvision.QuantizableInception")
def inception(run: Run, m: Module, x: Any) -> Any:
    return _functional(run, m, "cat", "cat", [run(b, x) for b in (m.branch1, m.branch2, m.branch3, m.branch4)], 1)


def _normalized(run: Run, m: Module, x: Any) -> Any:
    if not m.get("transform_input", False):
        return x
    parts = []
    for k, (scale, shift) in enumerate(((0.229, 0.485), (0.224, 0.456), (0.225, 0.406))):
        part = run.call("slice", x, 1, k, k + 1, 1)
        parts.append(run.call("add", run.call("mul", part, scale / 0.5), (shift - 0.5) / 0.5))
    return run.call("cat", parts, 1)


@forward("torchvision.GoogLeNet", "torchvision.QuantizableGoogLeNet")
def googlenet(run: Run, m: Module, x: Any) -> Any:
    x = _quantized(run, m, _normalized(run, m, x))
    for name in ("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3",
                 "inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4", "inception5a",
                 "inception5b", "avgpool"):
        x = run(m.children[name], x)
    return _real(run, m, run(m.fc, run.call("flatten", x, 1)))


@forward("torchvision.Inception3", "torchvision.QuantizableInception3")
def inception3(run: Run, m: Module, x: Any) -> Any:
    x = _quantized(run, m, _normalized(run, m, x))

    def pool(x: Any) -> Any:
        return run.call("max_pool2d", x, 3, 2)
    for name in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "",
                 "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e",
                 "Mixed_7a", "Mixed_7b", "Mixed_7c"):
        x = run(m.children[name], x) if name else pool(x)
    return _real(run, m, run(m.fc, run.call("flatten", run.call("adaptive_avg_pool2d", x, [1, 1]), 1)))


def _pooled(run: Run, x: Any) -> Any:
    return run.call("avg_pool2d", x, 3, 1, 1)


def _chain(run: Run, m: Module, x: Any, *names: str) -> Any:
    for name in names:
        x = run(m.children[name], x)
    return x


@forward("torchvision.InceptionA", "torchvision.QuantizableInceptionA")
def inception_a(run: Run, m: Module, x: Any) -> Any:
    return _functional(run, m, "myop", "cat", [
        _chain(run, m, x, "branch1x1"), _chain(run, m, x, "branch5x5_1", "branch5x5_2"),
        _chain(run, m, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        _chain(run, m, _pooled(run, x), "branch_pool")], 1)


@forward("torchvision.InceptionB", "torchvision.QuantizableInceptionB")
def inception_b(run: Run, m: Module, x: Any) -> Any:
    return _functional(run, m, "myop", "cat", [
        _chain(run, m, x, "branch3x3"),
        _chain(run, m, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        run.call("max_pool2d", x, 3, 2)], 1)


@forward("torchvision.InceptionC", "torchvision.QuantizableInceptionC")
def inception_c(run: Run, m: Module, x: Any) -> Any:
    return _functional(run, m, "myop", "cat", [
        _chain(run, m, x, "branch1x1"),
        _chain(run, m, x, "branch7x7_1", "branch7x7_2", "branch7x7_3"),
        _chain(run, m, x, *(f"branch7x7dbl_{k}" for k in range(1, 6))),
        _chain(run, m, _pooled(run, x), "branch_pool")], 1)


@forward("torchvision.InceptionD", "torchvision.QuantizableInceptionD")
def inception_d(run: Run, m: Module, x: Any) -> Any:
    return _functional(run, m, "myop", "cat", [
        _chain(run, m, x, "branch3x3_1", "branch3x3_2"),
        _chain(run, m, x, *(f"branch7x7x3_{k}" for k in range(1, 5))),
        run.call("max_pool2d", x, 3, 2)], 1)


@forward("torchvision.InceptionE", "torchvision.QuantizableInceptionE")
def inception_e(run: Run, m: Module, x: Any) -> Any:
    a, b = run(m.branch3x3_1, x), _chain(run, m, x, "branch3x3dbl_1", "branch3x3dbl_2")
    return _functional(run, m, "myop3", "cat", [
        run(m.branch1x1, x),
        _functional(run, m, "myop1", "cat", [run(m.branch3x3_2a, a), run(m.branch3x3_2b, a)], 1),
        _functional(run, m, "myop2", "cat", [run(m.branch3x3dbl_3a, b), run(m.branch3x3dbl_3b, b)], 1),
        run(m.branch_pool, _pooled(run, x))], 1)


# -- ViT


@forward("torchvision.VisionTransformer")
def vit(run: Run, m: Module, x: Any) -> Any:
    x = run.call("flatten", run(m.conv_proj, x), 2)
    x = run.call("permute", x, [0, 2, 1])
    token = run.call("expand", m.class_token, [run.size(x, 0), -1, -1])
    x = run(m.encoder, run.call("cat", [token, x], 1))
    return run(m.heads, run.call("select", x, 1, 0))


@forward("torchvision.Encoder")
def vit_encoder(run: Run, m: Module, x: Any) -> Any:
    places = m.pos_embedding
    if not isinstance(places, Box) or run.size(x, 1) != run.size(places, 1):
        raise Unsupported("an image of another size than the model was made for", m.node)
    return run(m.ln, run(m.layers, run.call("add", x, places)))


@forward("torchvision.EncoderBlock")
def vit_block(run: Run, m: Module, x: Any) -> Any:
    y = run(m.ln_1, x)
    x = run.call("add", run(m.self_attention, y, y, y, None, False)[0], x)
    return run.call("add", x, run(m.mlp, run(m.ln_2, x)))


@forward("torchvision.MLPBlock")
def mlp_block(run: Run, m: Module, x: Any) -> Any:
    return run.sequence(m, x)
