"""Operators that came from StableHLO, windows and dilation."""
from __future__ import annotations

import numpy as np

from .case import BOOL, F32, I32, add, b, f, given, i, k, out, w

for op in ("STABLEHLO_ADD", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM", "STABLEHLO_MINIMUM"):
    add("", op, [f(2, 3), f(2, 3)])
    add("int32", op, [i(2, 3), i(2, 3)], outputs=out(I32))
add("bool", "STABLEHLO_AND", [b(3, 4), b(3, 4)], outputs=out(BOOL))
add("int32", "STABLEHLO_AND", [i(3, 4), i(3, 4)], outputs=out(I32))
add("", "STABLEHLO_SHIFT_LEFT", [i(2, 6), given([[0, 1, 2, 5, 31, 7], [0, 1, 2, 5, 31, 7]], I32)], outputs=out(I32))
for name, low, high, inside in (("edges", [1, 0], [2, 3], [0, 0]), ("inside", [0, 0], [0, 0], [2, 1]),
                                ("both", [1, 2], [0, 1], [1, 3]), ("cut", [-1, 0], [1, -2], [0, 0]),
                                ("cut_inside", [-1, 2], [0, -1], [2, 1])):
    add(name, "STABLEHLO_PAD", [f(3, 4), np.asarray(2.5, F32)],
        {"edge_padding_low": low, "edge_padding_high": high, "interior_padding": inside})
    add(name + "_int32", "STABLEHLO_PAD", [i(3, 4), np.asarray(7, I32)],
        {"edge_padding_low": low, "edge_padding_high": high, "interior_padding": inside}, out(I32))
for steps in ((1, 1), (2, 1), (1, 3), (3, 2)):
    add(f"{steps[0]}_{steps[1]}", "DILATE", [f(3, 4), k(steps), np.asarray(-1.5, F32)])
add("int32", "DILATE", [i(2, 3, 2), k([2, 2, 3]), np.asarray(4, I32)], outputs=out(I32))
for name in ("ADD", "MUL", "MINIMUM", "MAXIMUM"):
    start = np.asarray({"ADD": 0, "MUL": 1, "MINIMUM": 1e9, "MAXIMUM": -1e9}[name], F32)
    add(name, "REDUCE_WINDOW", [f(5, 7), start, k([2, 3], "i8"), k([1, 2], "i8"), k([1, 1], "i8")],
        {"reduce_function": name})
    add(name + "_dilated", "REDUCE_WINDOW", [f(1, 8, 9, 2), start, k([1, 2, 3, 1], "i8"), k([1, 2, 1, 1], "i8"),
                                             k([1, 3, 2, 1], "i8")], {"reduce_function": name})
for name in ("ALL", "ANY"):
    add(name, "REDUCE_WINDOW", [b(5, 7), np.asarray(name == "ALL"), k([2, 3], "i8"), k([1, 2], "i8"), k([1, 1], "i8")],
        {"reduce_function": name}, out(BOOL))

ACT = "fused_activation_function"
for merge, major in ((False, False), (True, False), (False, True)):
    one = [w(5, 3), w(5, 5), w(5), np.zeros((2, 5), F32)]
    two = [w(5, 3), w(5, 5), w(5), np.zeros((2, 5), F32)]
    add(f"merge={merge}_time_major={major}", "BIDIRECTIONAL_SEQUENCE_RNN",
        [f(4, 2, 3) if major else f(2, 4, 3), *one, *two, None, None, None],
        {"time_major": major, ACT: "TANH", "merge_outputs": merge}, [out()] * (1 if merge else 2) + [out()] * 2, states=2)
