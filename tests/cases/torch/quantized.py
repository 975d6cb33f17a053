"""Quantized tensors, as eager and torch.fx quantization leave them in TorchScript.

PyTorch sums whole numbers and rounds once, ONNX Runtime sums what they stand for: where that is a tie, the results are
one step apart, which is the bar where a case says its ``step``.  What only chooses or moves elements is held to the
usual one."""
from __future__ import annotations

from . import Family

FAMILY = Family()
X_STEP = 0.03


def F(name: str, expression: str, inputs: str, step: float = 0.0) -> None:
    FAMILY.case(name, expression, inputs, forms=("ts",), step=step)


Q = "torch.quantize_per_tensor({}, {}, {}, torch.{})"
X, Y = Q.format("x", 0.03, 117, "quint8"), Q.format("y", 0.025, 130, "quint8")
S = Q.format("x", 0.03, 5, "qint8")
W = "torch.quantize_per_tensor(y, 0.02, 0, torch.qint8)"
WC = ("torch.quantize_per_channel(y, torch.tensor([0.02, 0.03, 0.01, 0.025]), torch.zeros(4, dtype=torch.int64), 0, "
      "torch.qint8)")

F("quantize/quint8", f"torch.dequantize({X})", "f[3,50]-9:9")
F("quantize/qint8", f"torch.dequantize({S})", "f[3,50]-9:9")
F("quantize/tensors", "torch.quantize_per_tensor(x, torch.tensor(0.1), torch.tensor(3), torch.quint8).dequantize()",
  "f[3,50]-9:9")
F("quantize/channels", "torch.quantize_per_channel(x, torch.tensor([0.1, 0.02, 0.3]), torch.tensor([3, 4, 250]), 1, "
  "torch.quint8).dequantize()", "f[5,3]")
F("quantize/dynamic", "torch.quantize_per_tensor_dynamic(x, torch.quint8, False).dequantize()", "f[3,50]-9:9")
F("quantize/dynamic reduced", "torch.quantize_per_tensor_dynamic(x, torch.quint8, True).dequantize()", "f[3,50]-3:9")
F("quantize/dynamic qint8", "torch.quantize_per_tensor_dynamic(x, torch.qint8, False).dequantize()", "f[3,50]1:9")
F("quantize/dynamic zeros", "torch.quantize_per_tensor_dynamic(x * 0, torch.quint8, False).dequantize()", "f[3,5]")
F("quantize/dynamic tiny", "torch.quantize_per_tensor_dynamic(x * 1e-4, torch.quint8, False).dequantize()", "f[3,5]")
F("int_repr", f"torch.int_repr({X})", "f[3,4]")
for _name, _call in {
        "view": "q.view(2, 6)", "reshape": "q.reshape(-1)", "permute": "q.permute(1, 0)", "slice": "q[:, 1:3]",
        "select": "q[1]", "cat": f"torch.cat([q, {Y}])", "relu": "torch.relu(q)", "relu6": "F.relu6(q)",
        "hardtanh": "F.hardtanh(q, -0.5, 0.7)", "clamp": "torch.clamp(q, -0.4, 0.9)", "unsqueeze": "q.unsqueeze(1)",
        "flatten": "torch.flatten(q)", "clone": "q.clone()", "contiguous": "q.t().contiguous()",
        "chunk": "torch.chunk(q, 2, 1)[1]", "stack": "torch.stack([q, q], 1)"}.items():
    F(f"keep/{_name}", f"q = {X}\n({_call}).dequantize()", "f[3,4] f[2,4]" if "y," in _call else "f[3,4]")
for _name, _call, _step in (
        ("max_pool2d", "F.max_pool2d(q, 3, 2, 1)", 0.0), ("avg_pool2d", "F.avg_pool2d(q, 3, 2, 1)", X_STEP),
        ("avg_pool2d uncounted", "F.avg_pool2d(q, 3, 2, 1, count_include_pad=False)", X_STEP),
        ("adaptive_avg_pool2d", "F.adaptive_avg_pool2d(q, (2, 1))", X_STEP), ("mean", "q.mean([2, 3])", X_STEP),
        ("mean/keepdim", "q.mean(1, True)", X_STEP), ("nearest", "F.interpolate(q, scale_factor=2.0)", 0.0),
        ("bilinear", "F.interpolate(q, scale_factor=2.0, mode='bilinear')", X_STEP), ("pad", "F.pad(q, [1, 2, 0, 1])", 0.0),
        ("leaky_relu", "F.leaky_relu(q, 0.1)", X_STEP), ("channel_shuffle", "torch.channel_shuffle(q, 2)", 0.0)):
    F(f"keep/{_name}", f"q = {X}\n({_call}).dequantize()", "f[2,4,7,6]", _step)
for _name, _call in {"sigmoid": "torch.sigmoid(q)", "tanh": "torch.tanh(q)", "hardsigmoid": "F.hardsigmoid(q)"}.items():
    for _kind, _made in (("quint8", X), ("qint8", S)):
        F(f"bounded/{_name} {_kind}", f"q = {_made}\n({_call}).dequantize()", "f[3,50]-4:4", 1 / 128 if _name == "tanh" else 1 / 256)
N = "torch.ops.quantized."
for _relu in ("", "_relu"):
    F(f"add{_relu}", f"{N}add{_relu}({X}, {Y}, 0.05, 100).dequantize()", "f[3,50]-3:3 f[3,50]-3:3", 0.05)
    F(f"mul{_relu}", f"{N}mul{_relu}({X}, {Y}, 0.06, 120).dequantize()", "f[3,50]-3:3 f[3,50]-3:3", 0.06)
    F(f"cat{_relu}", f"{N}cat{_relu}([{X}, {Y}], 1, 0.05, 100).dequantize()", "f[3,50]-3:3 f[3,40]-3:3", 0.05)
    F(f"linear{_relu}", f"{N}linear{_relu}({X}, {N}linear_prepack({W}, z), 0.05, 100).dequantize()",
      "f[3,8]-3:3 f[5,8] f[5]", 0.05)
    F(f"linear{_relu}/dynamic", f"{N}linear{_relu}_dynamic(x, {N}linear_prepack({W}, z))", "f[3,8]-3:3 f[5,8] f[5]")
    F(f"linear{_relu}/dynamic reduced", f"{N}linear{_relu}_dynamic(x, {N}linear_prepack({WC}, z), True)",
      "f[2,3,8]-3:3 f[4,8] f[4]")
    for _n, _pack in ((1, "[2], [1], [1], 1"), (2, "[2, 1], [1, 1], [1, 2], 1"), (3, "[1, 1, 1], [1, 0, 1], [1, 1, 1], 1")):
        _sizes = ",".join("654"[:_n])
        _three = ",".join(["3"] * _n)
        F(f"conv{_n}d{_relu}", f"{N}conv{_n}d{_relu}({X}, {N}conv{_n}d_prepack({WC}, z, {_pack}), 0.2, 110).dequantize()",
          f"f[2,3,{_sizes}]-3:3 f[4,3,{_three}] f[4]", 0.2)
    for _n in (2, 3):
        F(f"batch_norm{_n}d{_relu}", f"{N}batch_norm{_n}d{_relu}({X}, y, y * 2, -y, y * y + 0.5, 1e-5, 0.05, 100)"
          ".dequantize()", "f[2,3,4,5" + ",2" * (_n - 2) + "]-3:3 f[3]", 0.05)
F("linear/no bias", f"{N}linear({X}, {N}linear_prepack({W}, None), 0.05, 100).dequantize()", "f[3,8]-3:3 f[5,8]", 0.05)
F("conv2d/groups", f"{N}conv2d({X}, {N}conv2d_prepack({WC}, z, [1, 1], [1, 1], [1, 1], 4), 0.1, 110).dequantize()",
  "f[2,4,6,5]-3:3 f[4,1,3,3] f[4]", 0.1)
F("conv_transpose1d", f"{N}conv_transpose1d({X}, {N}conv_transpose1d_prepack({W}, z, [2], [1], [1], [1], 1), 0.2, 110)"
  ".dequantize()", "f[2,3,6]-3:3 f[3,4,3] f[4]", 0.2)
F("conv_transpose2d", f"{N}conv_transpose2d({X}, {N}conv_transpose2d_prepack({W}, z, [2, 1], [1, 0], [1, 0], [1, 1], 1), "
  "0.2, 110).dequantize()", "f[2,3,6,5]-3:3 f[3,4,3,2] f[4]", 0.2)
for _c in ("0.5", "-0.7", "0.0", "3", "-20.0", "9.5"):
    F(f"mul number/{_c}", f"{N}mul({X}, {_c}).dequantize()", "f[3,50]-3:3")
    F(f"add number/{_c}", f"{N}add({X}, {_c}).dequantize()", "f[3,50]-3:3")
F("mul number/relu", f"{N}mul_relu({X}, -0.7).dequantize()", "f[3,50]-3:3")
F("add number/relu", f"{N}add_relu({X}, -0.7).dequantize()", "f[3,50]-3:3")
F("matmul", f"{N}matmul({X}, {Y}, 0.1, 120).dequantize()", "f[2,3,8]-1:1 f[2,8,4]-1:1", 0.1)
F("hardswish", f"{N}hardswish({X}, 0.03, 30).dequantize()", "f[3,50]-4:4", 0.03)
F("sigmoid", f"{N}sigmoid({X}, 0.005, 10).dequantize()", "f[3,50]-4:4", 0.005)
F("elu", f"{N}elu({X}, 0.03, 40, 0.7, 1.1, 0.9).dequantize()", "f[3,50]-4:4", 0.03)
F("celu", f"{N}celu({X}, 0.03, 40, 0.7).dequantize()", "f[3,50]-4:4", 0.03)
F("leaky_relu", f"{N}leaky_relu({X}, 0.2, False, 0.03, 40).dequantize()", "f[3,50]-4:4", 0.03)
F("prelu", f"{N}prelu({X}, {Y}, 0.03, 40).dequantize()", "f[3,5,6]-4:4 f[5]", 0.03)
F("relu6", f"{N}relu6({X}).dequantize()", "f[3,50]-4:9")
F("softmax", f"{N}softmax({X}, 1, 0.004, 0).dequantize()", "f[3,9]-4:4", 0.004)
F("layer_norm", f"{N}layer_norm({X}, [9], y, y * 2, 1e-5, 0.05, 120).dequantize()", "f[3,9]-4:4 f[9]", 0.05)
F("group_norm", f"{N}group_norm({X}, 2, y, y * 2, 1e-5, 0.05, 120).dequantize()", "f[3,4,9]-4:4 f[4]", 0.05)
F("instance_norm", f"{N}instance_norm({X}, y, y * 2, 1e-5, 0.05, 120).dequantize()", "f[3,4,9,2]-4:4 f[4]", 0.05)
F("dropout", f"F.dropout({X}, training=False).dequantize()", "f[3,4]")
