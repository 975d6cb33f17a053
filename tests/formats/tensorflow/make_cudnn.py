"""Makes ``tests/recorded/cudnn.npz``: frozen graphs of cuDNN's recurrent layers, inputs, and what tf_keras computes.

No CPU runs cuDNN's kernel.  tf_keras has both forms of a layer and holds them equal: ``gpu_lstm`` and ``gpu_gru``
build the graph (and lay out its weights), ``standard_lstm``, ``standard_gru`` and ``SimpleRNN`` with the same weights
compute what is recorded.  Needs TensorFlow and tf_keras: ``python tests/formats/tensorflow/make_cudnn.py [FILE]``."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn import gru, gru_lstm_utils, lstm

RECORDED = Path(__file__).parents[2] / "recorded" / "cudnn.npz"
R = np.random.RandomState(0)
BATCH, TIME, FEATURES, UNITS = 3, 5, 7, 4
LENGTHS = np.array([5, 2, 4], "i4")
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
_info = tf.sysconfig.get_build_info()
tf.sysconfig.get_build_info = lambda: {**_info, "is_cuda_build": True}  # a build with cuDNN: gpu_gru asks


def floats(*shape: int) -> np.ndarray:
    return np.asarray(R.randn(*shape) * 0.6, "f4")


def graph(build: Any, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """The bytes of a frozen graph of what ``build`` makes of the inputs, whose batch and time are not known."""
    with tf.Graph().as_default() as g:
        ins = {k: tf.compat.v1.placeholder(v.dtype, [None if n in (BATCH, TIME) else n for n in v.shape], name=k)
               for k, v in feeds.items()}
        for k, v in build(**ins).items():
            tf.identity(v, name=k)
        return np.frombuffer(g.as_graph_def().SerializeToString(deterministic=True), "u1")


def one(mode: str, weights: list[Any], x: Any, states: list[Any], mask: Any, backwards: bool) -> list[Any]:
    """Outputs (zero where masked, in the order of time) and last states of one direction, batch first, as the kernels
    for any device compute them; the weights as Keras has them."""
    kernel, recurrent, bias = map(tf.constant, weights)
    if mode == "lstm":  # Keras has one bias for both of cuDNN's
        _, y, *last, _ = lstm.standard_lstm(x, *states, kernel, recurrent, bias[0] + bias[1], mask, False, backwards,
                                            None, True, True)
    elif mode == "gru":
        _, y, *last, _ = gru.standard_gru(x, *states, kernel, recurrent, bias, mask, False, backwards, None, True, True)
    else:
        cell = tf_keras.layers.SimpleRNNCell(UNITS, mode.removeprefix("rnn_"))
        cell.build((None, len(weights[0])))
        cell.set_weights([weights[0], weights[1], weights[2].sum(0)])
        layer = tf_keras.layers.RNN(cell, return_sequences=True, return_state=True, go_backwards=backwards,
                                    zero_output_for_mask=True)
        y, *last = layer(x, initial_state=states, mask=mask)
    return [tf.reverse(y, [1]) if backwards else y, *last]


def flat(mode: str, layers: list[list[Any]], skipped: int = 0) -> np.ndarray:
    """The weights of all layers and directions as cuDNN has them, by tf_keras."""
    swap = [1, 0, 2] if mode == "gru" else range(GATES[mode])
    matrices, biases = [], []
    for k, (kernel, recurrent, bias) in enumerate(layers):
        for w in ([] if k < skipped else [kernel]) + [recurrent]:
            gates = np.split(w, GATES[mode], 1)
            matrices += [gates[g] for g in swap]
        for b in bias:
            gates = np.split(b, GATES[mode])
            biases += [gates[g] for g in swap]
    return gru_lstm_utils.canonical_to_params(matrices, biases, [-1], transpose_weights=True).numpy()


def stack(name: str, version: str, mode: str, layers: int, directions: int, **attributes: Any) -> None:
    """Layers in one node, against one kernel of Keras after another."""
    n, depth = GATES[mode] * UNITS, layers * directions
    skips = attributes.get("input_mode", "linear_input") != "linear_input"
    features = UNITS if skips else FEATURES
    eye = np.tile(np.eye(UNITS, dtype="f4"), (1, GATES[mode]))
    weights = []
    for k in range(depth):
        kernel = floats(features if k < directions else directions * UNITS, n)
        weights.append([eye if skips and k < directions else kernel, floats(UNITS, n), floats(2, n)])
    major = attributes.get("time_major", True)
    feeds = {"x": floats(TIME, BATCH, features), "h": floats(depth, BATCH, UNITS)}
    if mode == "lstm":
        feeds["c"] = floats(depth, BATCH, UNITS)
    if version == "V3":
        feeds["lengths"] = LENGTHS
    y, mask = tf.transpose(feeds["x"], [1, 0, 2]), tf.sequence_mask(LENGTHS, TIME) if version == "V3" else None
    last: list[Any] = []
    for layer in range(layers):
        parts = []
        for d in range(directions):
            k = layer * directions + d
            made, *end = one(mode, weights[k], y, [tf.constant(feeds[s][k]) for s in "hc" if s in feeds], mask, d == 1)
            parts.append(made)
            last.append(end)
        y = tf.concat(parts, 2)
    if not major:
        feeds = {k: v if k == "lengths" else v.swapaxes(0, 1) for k, v in feeds.items()}
    want = {"y": y if not major else tf.transpose(y, [1, 0, 2])}
    for j, s in enumerate("hc"[:len(last[0])]):
        want[f"last_{s}"] = tf.stack([end[j] for end in last], 0 if major else 1)
    params = flat(mode, weights, directions if skips else 0)

    def build(x: Any, h: Any, c: Any = 0.0, lengths: Any = None) -> dict[str, Any]:
        more = {} if lengths is None else {"sequence_lengths": lengths}
        made = getattr(tf.raw_ops, f"CudnnRNN{version}")(
            input=x, input_h=h, input_c=c, params=params, rnn_mode=mode,
            direction="bidirectional" if directions == 2 else "unidirectional", **more, **attributes)
        return {"y": made.output, "last_h": made.output_h} | ({"last_c": made.output_c} if mode == "lstm" else {})
    enter(name, build, feeds, want)


def keras_layer(name: str, mode: str, masked: bool, **how: Any) -> None:
    """A layer as Keras puts it on a GPU, against the same layer on any device."""
    n = GATES[mode] * UNITS
    weights = [floats(FEATURES, n), floats(UNITS, n), floats(n) if mode == "lstm" else floats(2, n)]
    feeds = {"x": floats(BATCH, TIME, FEATURES), "h": floats(BATCH, UNITS)}
    if mode == "lstm":
        feeds["c"] = floats(BATCH, UNITS)
    if masked:
        feeds["mask"] = np.arange(TIME) < LENGTHS[:, None]

    def build(kernel: Any, **more: Any) -> Any:
        def made(x: Any, mask: Any = None, **states: Any) -> dict[str, Any]:
            last, y, *states, _ = kernel(x, *states.values(), *map(tf.constant, weights), mask=mask, time_major=False,
                                         sequence_lengths=None, **how, **more)
            return {"last": last, "y": y, **{f"last_{s}": v for s, v in zip("hc", states, strict=False)}}
        return made
    gpu, standard = (lstm.gpu_lstm, lstm.standard_lstm) if mode == "lstm" else (gru.gpu_gru, gru.standard_gru)
    given = {k: tf.constant(v) for k, v in feeds.items()}
    # past the end of a sequence the GPU gives zeros, but its last output is that of the end
    want = {**build(standard, zero_output_for_mask=True)(**given),
            "last": build(standard, zero_output_for_mask=False)(**given)["last"]}
    enter(name, build(gpu), feeds, want)


ARRAYS: dict[str, np.ndarray] = {}


def enter(name: str, build: Any, feeds: dict[str, np.ndarray], want: dict[str, Any]) -> None:
    ARRAYS[f"{name}|graph|"] = graph(build, feeds)
    ARRAYS.update({f"{name}|in|{k}": v for k, v in feeds.items()})
    ARRAYS.update({f"{name}|out|{k}": np.asarray(v) for k, v in want.items()})


def main(path: Path) -> None:
    for mode in ("lstm", "gru"):
        for masked in (False, True):
            for backwards in (False, True):
                keras_layer(f"keras_{mode}{'_masked' * masked}{'_backwards' * backwards}", mode, masked,
                            go_backwards=backwards, return_sequences=not (masked and backwards))
    for mode in GATES:
        stack(f"{mode}_v1", "", mode, 1, 1)
        stack(f"{mode}_v2_bidirectional", "V2", mode, 1, 2, is_training=False, dropout=0.5)
        stack(f"{mode}_v2_deep", "V2", mode, 2, 2)
        stack(f"{mode}_v3", "V3", mode, 2, 1)
        stack(f"{mode}_v3_batch", "V3", mode, 2, 2, time_major=False)
        stack(f"{mode}_skip", "V2", mode, 2, 2, input_mode="skip_input")
    stack("gru_auto", "V3", "gru", 1, 1, input_mode="auto_select")
    np.savez_compressed(path, **ARRAYS)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else RECORDED)
