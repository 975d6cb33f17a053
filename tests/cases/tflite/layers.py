"""Convolutions, products, pooling, recurrence, detection, transforms."""
from __future__ import annotations

import numpy as np
from flatbuffers import flexbuffers

from .case import F32, I8, I16, I32, I64, INT4, U8, Given, Weight, add, f, given, k, out, q, qb, qout, qw, scale, w

ACT = "fused_activation_function"


def conv(name: str, x: Given, weight: object, bias: object, o: object = None, *, op: str = "CONV_2D", padding: str = "SAME",
         stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1), act: str = "NONE", version: int = 1,
         **more: object) -> None:
    add(name, op, [x, weight, bias], {"padding": padding, "stride_h": stride[0], "stride_w": stride[1],
                                      "dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1], ACT: act,
                                      **more}, o or out(), version)


for padding in ("SAME", "VALID"):
    for stride in ((1, 1), (2, 2), (2, 1), (3, 3)):
        label = f"{padding}_{stride[0]}{stride[1]}"
        conv(label, f(2, 7, 8, 3), w(4, 3, 3, 3), w(4), padding=padding, stride=stride)
        conv(label, f(2, 7, 8, 3), w(1, 3, 3, 6), w(6), op="DEPTHWISE_CONV_2D", padding=padding, stride=stride,
             depth_multiplier=2)
        conv("even_" + label, f(1, 7, 8, 3), w(4, 2, 4, 3), w(4), padding=padding, stride=stride)
    conv(f"{padding}_dilated", f(1, 9, 8, 3), w(4, 3, 3, 3), w(4), padding=padding, dilation=(2, 3))
    conv(f"{padding}_dilated", f(1, 9, 8, 3), w(1, 3, 3, 3), w(3), op="DEPTHWISE_CONV_2D", padding=padding,
         dilation=(2, 2), depth_multiplier=1)
for act in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT"):
    conv(act, f(1, 5, 5, 3), w(4, 3, 3, 3), w(4), act=act)
conv("grouped", f(1, 5, 5, 4), w(6, 3, 3, 2), w(6))
conv("dynamic", f(2, 5, 6, 3, dynamic=[0]), w(4, 3, 3, 3), w(4), stride=(2, 2))
conv("dynamic_size", f(2, 5, 6, 3, dynamic=[0, 1, 2]), w(4, 3, 3, 3), w(4), stride=(2, 2))
conv("dynamic_size_dilated", f(2, 9, 8, 3, dynamic=[1, 2]), w(4, 3, 3, 3), w(4), dilation=(2, 2))
conv("run_time_weights", f(1, 5, 5, 3), f(4, 3, 3, 3), w(4))
for op, n in (("CONV_2D", 4), ("DEPTHWISE_CONV_2D", 3)):
    shape = (4, 3, 3, 3) if n == 4 else (1, 3, 3, 3)
    axis = 0 if n == 4 else 3
    more = {} if n == 4 else {"depth_multiplier": 1}
    for act in ("NONE", "RELU6"):
        x, weight = q(1, 6, 6, 3), qw(*shape, axis=axis)
        conv(f"int8_{act}", x, weight, qb(n, x, weight), qout(0.1, -4), op=op, act=act, **more)
        x, weight = q(1, 6, 6, 3, zero=120, dtype=U8), qw(*shape, zero=99, dtype=U8)
        conv(f"uint8_{act}", x, weight, qb(n, x, weight), qout(0.1, 77, U8), op=op, act=act, **more)
    x, weight = q(1, 6, 6, 3), qw(*shape)
    conv("int8_per_tensor", x, weight, qb(n, x, weight), qout(0.1, -4), op=op, stride=(2, 2), **more)
    x, weight = q(1, 6, 6, 3, s=0.0005, zero=0, dtype=I16), qw(*shape, axis=axis)
    conv("int16", x, weight, qb(n, x, weight, I64), qout(0.0008, 0, I16), op=op, **more)
    x, weight = q(1, 6, 6, 3), qw(*shape, axis=axis, dtype=INT4, s=0.2)
    conv("int4", x, weight, qb(n, x, weight), qout(0.1, -4), op=op, **more)
x, weight = q(2, 6, 6, 3, dynamic=[0]), qw(4, 3, 3, 3, axis=0)
conv("int8_dynamic", x, weight, qb(4, x, weight), qout(0.1, -4))

for name, shape, kw in (("SAME", (1, 6, 8, 3), {"padding": "SAME", "s": 2}), ("VALID", (1, 7, 9, 3), {"padding": "VALID", "s": 2}),
                        ("SAME_1", (1, 3, 4, 3), {"padding": "SAME", "s": 1}), ("VALID_longer", (1, 8, 10, 3), {"padding": "VALID", "s": 2}),
                        ("SAME_odd", (1, 5, 7, 3), {"padding": "SAME", "s": 2}), ("SAME_3", (2, 9, 12, 3), {"padding": "SAME", "s": 3})):
    n, h, width, c = shape
    s = kw["s"]
    size = (-(-h // s), -(-width // s)) if kw["padding"] == "SAME" else (-(-(h - 2) // s), -(-(width - 2) // s))
    how = {"padding": kw["padding"], "stride_h": s, "stride_w": s, ACT: "NONE"}
    add(name, "TRANSPOSE_CONV", [k(shape), w(c, 3, 3, 2), f(n, *size, 2)], how)
    add(name + "_bias", "TRANSPOSE_CONV", [k(shape), w(c, 3, 3, 2), f(n, *size, 2), w(c)], how, version=3)
x, weight = q(1, 3, 4, 2), qw(3, 3, 3, 2, axis=0)
add("int8", "TRANSPOSE_CONV", [k([1, 6, 8, 3]), weight, x], {"padding": "SAME", "stride_h": 2, "stride_w": 2, ACT: "NONE"},
    qout(0.1, -4), version=2)
three = {"stride_d": 1, "stride_h": 2, "stride_w": 1, ACT: "RELU", "dilation_d_factor": 1, "dilation_h_factor": 1,
         "dilation_w_factor": 1}
for padding in ("SAME", "VALID"):
    add(padding, "CONV_3D", [f(1, 4, 5, 6, 2), w(2, 3, 3, 2, 4), w(4)], {"padding": padding, **three})
add("", "CONV_3D_TRANSPOSE", [k([1, 4, 6, 4, 3]), w(2, 3, 3, 3, 2), f(1, 4, 3, 4, 2)],
    {"padding": "SAME", **three, ACT: "NONE"})

fc = {ACT: "NONE", "weights_format": "DEFAULT", "keep_num_dims": False}
add("", "FULLY_CONNECTED", [f(3, 5), w(4, 5), w(4)], fc)
add("no_bias", "FULLY_CONNECTED", [f(3, 5), w(4, 5), None], {**fc, ACT: "RELU"})
add("flattened", "FULLY_CONNECTED", [f(2, 3, 5), w(4, 15), w(4)], fc)
add("flattened_rows", "FULLY_CONNECTED", [f(2, 3, 5), w(4, 5), w(4)], fc)
add("kept", "FULLY_CONNECTED", [f(2, 3, 5), w(4, 5), w(4)], {**fc, "keep_num_dims": True}, version=5)
add("dynamic", "FULLY_CONNECTED", [f(3, 5, dynamic=[0]), w(4, 5), w(4)], fc)
add("run_time_weights", "FULLY_CONNECTED", [f(3, 5), f(4, 5), None], fc)
for kept in (False, True):
    x, weight = q(3, 5), qw(4, 5)
    add(f"int8_kept={kept}", "FULLY_CONNECTED", [x, weight, qb(4, x, weight)], {**fc, "keep_num_dims": kept}, qout(0.2, 9), version=5)
x, weight = q(3, 5), qw(4, 5, axis=0)
add("int8_per_channel", "FULLY_CONNECTED", [x, weight, qb(4, x, weight)], fc, qout(0.2, 9), version=12)
x, weight = q(3, 5, zero=120, dtype=U8), qw(4, 5, zero=88, dtype=U8)
add("uint8", "FULLY_CONNECTED", [x, weight, qb(4, x, weight)], {**fc, ACT: "RELU"}, qout(0.1, 20, U8))
x, weight = q(3, 5, s=0.0005, zero=0, dtype=I16), qw(4, 5)
add("int16", "FULLY_CONNECTED", [x, weight, qb(4, x, weight, I64)], fc, qout(0.001, 0, I16), version=7)
x, weight = q(3, 6), qw(4, 6, dtype=INT4, s=0.2)
add("int4", "FULLY_CONNECTED", [x, weight, qb(4, x, weight)], fc, qout(0.2, 9), version=10)
add("shuffled", "FULLY_CONNECTED", [q(1, 16, zero=128, dtype=U8), qw(4, 16, zero=128, dtype=U8), None],
    {**fc, "weights_format": "SHUFFLED4x16INT8"}, [qout(0.001, 0, I16), out(U8)], version=2)

for adj_x in (False, True):
    for adj_y in (False, True):
        a, c = (f(2, 4, 3) if adj_x else f(2, 3, 4)), (f(2, 5, 4) if adj_y else f(2, 4, 5))
        add(f"{adj_x}_{adj_y}", "BATCH_MATMUL", [a, c], {"adj_x": adj_x, "adj_y": adj_y})
add("broadcast", "BATCH_MATMUL", [f(2, 1, 3, 4), f(5, 4, 2)], {"adj_x": False, "adj_y": False})
add("constant", "BATCH_MATMUL", [f(2, 3, 4), w(4, 5)], {"adj_x": False, "adj_y": False})
add("int8", "BATCH_MATMUL", [q(2, 3, 4), q(2, 4, 5, zero=-2)], {"adj_x": False, "adj_y": False}, qout(0.3, 1))

for op in ("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"):
    for padding in ("SAME", "VALID"):
        for stride, size in (((1, 1), (2, 2)), ((2, 2), (3, 3)), ((2, 1), (2, 3))):
            how = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "filter_height": size[0],
                   "filter_width": size[1], ACT: "NONE"}
            add(f"{padding}_{stride}_{size}".replace(" ", ""), op, [f(1, 7, 6, 2)], how)
    add("RELU6", op, [f(1, 7, 6, 2)], {**how, ACT: "RELU6"})
    add("dynamic", op, [f(1, 7, 6, 2, dynamic=[0, 1, 2])], how)
    if op != "L2_POOL_2D":
        add("int8", op, [q(1, 7, 6, 2)], {**how, "padding": "SAME"}, qout(0.05, 3))
        add("uint8", op, [q(1, 7, 6, 2, zero=120, dtype=U8)], {**how, "padding": "SAME"}, qout(0.05, 120, U8))


def zeros(*shape: int, dtype: object = F32, quant: object = None) -> object:
    array = np.zeros(shape, dtype)  # type: ignore[call-overload]
    return array if quant is None else Weight(array + np.asarray(quant.zero_point).astype(array.dtype), quant)


def lstm(name: str, *, batch: int = 2, time: int = 5, n_in: int = 3, units: int = 4, n_out: int | None = None,
         cifg: bool = False, peephole: bool = False, norm: bool = False, clip: float = 0.0, proj_clip: float = 0.0,
         time_major: bool = False, act: str = "TANH", version: int = 1) -> None:
    size = n_out or units
    x = f(time, batch, n_in) if time_major else f(batch, time, n_in)
    gates = range(4)
    skip = {0} if cifg else set()
    inputs = [x, *(None if g in skip else w(units, n_in) for g in gates), *(None if g in skip else w(units, size) for g in gates),
              *(w(units) if peephole and g not in skip else None for g in (0, 1, 3)),
              *(None if g in skip else w(units) for g in gates), w(size, units) if n_out else None, w(size) if n_out else None,
              zeros(batch, size), zeros(batch, units), *(w(units) if norm and g not in skip else None for g in gates)]
    add(name, "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs,
        {ACT: act, "cell_clip": clip, "proj_clip": proj_clip, "time_major": time_major}, [out(), out(), out()],
        version, states=2)


lstm("")
lstm("time_major", time_major=True)
lstm("one_step", time=1, batch=1)
lstm("clipped", clip=0.3)
lstm("cifg", cifg=True)
lstm("peephole", peephole=True)
lstm("projection", n_out=3, proj_clip=0.4)
lstm("norm", norm=True, version=2)
lstm("everything", n_out=3, peephole=True, norm=True, clip=0.8, cifg=True, version=2)
for merge, n, major in ((False, 2, False), (True, 2, False), (True, 1, False), (True, 2, True)):
    each = [*(w(4, 3) for _ in range(4)), *(w(4, 4) for _ in range(4)), None, None, None, *(w(4) for _ in range(4)), None, None]
    more = [*(w(4, 3) for _ in range(4)), *(w(4, 4) for _ in range(4)), None, None, None, *(w(4) for _ in range(4)), None, None]
    states = [zeros(n, 4), zeros(n, 4), zeros(n, 4), zeros(n, 4)]
    add(f"merge={merge}_batch={n}_time_major={major}", "BIDIRECTIONAL_SEQUENCE_LSTM",
        [f(5, n, 3) if major else f(n, 5, 3), *each, *more, *states, *[None] * 9],
        {ACT: "TANH", "cell_clip": 0.0, "proj_clip": 0.0, "merge_outputs": merge, "time_major": major},
        [out()] * (1 if merge else 2) + [out()] * 4, states=4)
add("", "LSTM", [f(2, 3), *(w(4, 3) for _ in range(4)), *(w(4, 4) for _ in range(4)), None, None, None,
                 *(w(4) for _ in range(4)), None, None, zeros(2, 4), zeros(2, 4)],
    {ACT: "TANH", "cell_clip": 0.0, "proj_clip": 0.0, "kernel_type": "FULL"}, [out()] * 3, states=2)
for major in (False, True):
    add(f"time_major={major}", "UNIDIRECTIONAL_SEQUENCE_RNN",
        [f(4, 2, 3) if major else f(2, 4, 3), w(5, 3), w(5, 5), w(5), zeros(2, 5)], {"time_major": major, ACT: "TANH"},
        [out(), out()], states=1)
add("", "RNN", [f(2, 3), w(5, 3), w(5, 5), w(5), zeros(2, 5)], {ACT: "RELU"}, [out(), out()], states=1)
for rank in (1, 2):
    add(f"rank={rank}", "SVDF", [f(2, 3), w(4, 3), w(4, 6), w(4 // rank), zeros(2, 24)], {"rank": rank, ACT: "NONE"},
        [out(), out()], states=1)
x, feature, time = q(2, 8), qw(4, 8), Weight(np.random.default_rng(1).integers(-2000, 2000, (4, 6)).astype(I16), scale(0.0005))
state = scale(0.0003)
add("int8", "SVDF", [x, feature, time, Weight(np.arange(2, dtype=I32) * 50, scale(0.0003 * 0.0005)),
                     zeros(2, 24, dtype=I16, quant=state)], {"rank": 2, ACT: "RELU"}, [qout(0.05, -128), out(I16, state)],
    version=3, states=1)

for then in ("COMPLEX_ABS", "REAL", "IMAG"):
    add(f"row_{then}", "RFFT2D", [f(2, 1, 16), k([1, 16])], outputs=out("c8"), then=(then, out()))
    add(f"longer_{then}", "RFFT2D", [f(1, 12), k([1, 16])], outputs=out("c8"), then=(then, out()))
    add(f"square_{then}", "RFFT2D", [f(2, 8, 16), k([8, 16])], outputs=out("c8"), then=(then, out()))
add("", "RFFT2D", [f(1, 16), k([1, 16])], outputs=out("c8"))


def detection(name: str, *, boxes: int = 40, classes: int = 4, background: int = 1, regular: bool = False, most: int = 6,
              per_box: int = 1, per_class: int = 5, iou: float = 0.4, score: float = 0.3) -> None:
    b = flexbuffers.Builder()
    with b.Map():
        for key, value in (("max_detections", most), ("max_classes_per_detection", per_box),
                           ("detections_per_class", per_class), ("num_classes", classes)):
            b.Int(key, value)
        for key, number in (("nms_score_threshold", score), ("nms_iou_threshold", iou), ("y_scale", 10.0),
                            ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)):
            b.Float(key, number)
        b.Bool("use_regular_nms", regular)
    rng = np.random.default_rng(len(name))
    anchors = np.concatenate([rng.uniform(0.1, 0.9, (boxes, 2)), rng.uniform(0.2, 0.5, (boxes, 2))], 1).astype(F32)
    add(name, "custom.TFLite_Detection_PostProcess",
        [f(1, boxes, 4), f(1, boxes, classes + background, low=0, high=1), anchors],
        {"custom_options": bytes(b.Finish())}, [out(), out(), out(), out()])


detection("fast")
detection("fast_few", score=0.95)
detection("fast_classes", per_box=3)
detection("fast_no_background", background=0)
detection("regular", regular=True)
detection("regular_few", regular=True, score=0.97)
detection("regular_per_class", regular=True, most=8, per_class=1)

conv("dynamic_size_strided_dilated", f(2, 9, 8, 3, dynamic=[0, 1, 2]), w(4, 3, 2, 3), w(4), stride=(2, 3), dilation=(3, 2))
conv("dynamic_size_strided_dilated", f(2, 9, 8, 3, dynamic=[0, 1, 2]), w(1, 3, 2, 6), w(6), op="DEPTHWISE_CONV_2D",
     stride=(2, 3), dilation=(2, 2), depth_multiplier=2)
x, weight = q(1, 9, 8, 3, dynamic=[1, 2]), qw(4, 3, 3, 3, axis=0)
conv("int8_dynamic_size_strided_dilated", x, weight, qb(4, x, weight), qout(0.1, -4), stride=(2, 2), dilation=(2, 2))
__all__ = ["I8", "given"]
