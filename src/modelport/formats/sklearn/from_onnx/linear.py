"""Layers of weighted sums: linear models and multi-layer perceptrons."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....codecs.pickle import Record
from ....errors import Unsupported
from ....ir.graph import Node, Value
from ....ir.tensor import Array
from .common import Chain, Head, head, number, other, outputs, sample
from .table import KINDS, estimator, loss

_ACTIVATIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "logistic"}


@dataclass(frozen=True, eq=False)
class Layer:
    """``activation(x @ weights + bias)``."""

    weights: Array
    bias: Array
    activation: str = "identity"


def layers(chain: Chain, v: Value) -> tuple[list[Layer], Value] | None:
    """The layers that begin at a value and the sums of the last one; ``None`` if none does."""
    found = _dense(chain, v)
    made: list[Layer] = []
    while found is not None:
        w, b, sums = found
        activation, after = _activation(chain, chain.through(sums, "Identity"))
        scale, shift, after = _affine(chain, after, w.shape[1])
        found = _dense(chain, after)
        if found is not None:  # what is done to each feature between layers, the next one's weights do
            found = found[0] * scale[:, None], found[1] + shift @ found[0], found[2]
        made.append(Layer(w, b, activation if found is not None else "identity"))
        v = sums
    return (made, v) if made else None


def _dense(chain: Chain, v: Value) -> tuple[Array, Array, Value] | None:
    node = chain.next(v)
    if node is None or node.op not in ("MatMul", "Gemm") or node.inputs[0] is not v or node.attrs.get("transA"):
        return None
    w = node.inputs[1]
    if w is None or w.data is None or w.rank not in (1, 2):
        return None
    weights = w.numpy().astype(np.float64)
    weights = weights[:, None] if w.rank == 1 else weights
    if node.attrs.get("transB"):
        weights = weights.T
    weights = weights * node.attrs.get("alpha", 1.0)
    count = weights.shape[1]
    bias, out = np.zeros(count), node.outputs[0]
    if node.op == "Gemm" and len(node.inputs) > 2 and node.inputs[2] is not None:
        c = node.inputs[2]
        if c.data is None or not _vector(c.numpy(), count):
            return None
        bias = bias + c.numpy().astype(np.float64).ravel() * node.attrs.get("beta", 1.0)
    follow = chain.next(out)
    if follow is not None and follow.op == "Add" and (found := other(follow, out)) is not None and \
            _vector(found[0], count):
        bias, out = bias + found[0].astype(np.float64).ravel(), follow.outputs[0]
    return weights, bias, out


def _affine(chain: Chain, v: Value, count: int) -> tuple[Array, Array, Value]:
    """Each feature's scale and shift by the nodes that follow, and the value after them."""
    scale, shift = np.ones(count), np.zeros(count)
    while (node := chain.next(v)) is not None:
        if node.op == "BatchNormalization" and node.inputs[0] is v and all(
                p is not None and p.data is not None for p in node.inputs[1:]):
            gamma, beta, mean, variance = (p.numpy().astype(np.float64) for p in node.inputs[1:] if p is not None)
            factor = gamma / np.sqrt(variance + node.attrs.get("epsilon", 1e-5))
            scale, shift = scale * factor, shift * factor + beta - mean * factor
        elif node.op in ("Add", "Sub", "Mul", "Div") and (found := other(node, v)) is not None and \
                _vector(found[0], count) and (found[1] or node.op in ("Add", "Mul")):
            by = found[0].astype(np.float64).ravel()
            if node.op in ("Add", "Sub"):
                shift = shift + by if node.op == "Add" else shift - by
            else:
                scale, shift = (scale * by, shift * by) if node.op == "Mul" else (scale / by, shift / by)
        elif node.op not in ("Identity", "Dropout"):
            break
        v = node.outputs[0]
    return scale, shift, v


def _vector(a: Array, count: int) -> bool:
    return a.size in (1, count) and all(d == 1 for d in a.shape[:-1])


def _activation(chain: Chain, v: Value) -> tuple[str, Value]:
    """The activation that follows, in one node or written out, and its result."""
    node = chain.next(v)
    if node is None:
        return "identity", v
    if node.op in _ACTIVATIONS:
        return _ACTIVATIONS[node.op], node.outputs[0]
    written: list[Node] = []
    while node is not None and len(written) < 4:
        written.append(node)
        node = chain.next(node.outputs[0])
    if [n.op for n in written] == ["Neg", "Exp", "Add", "Reciprocal"] and \
            1.0 in (number(written[2].inputs[0]), number(written[2].inputs[1])):
        return "logistic", written[3].outputs[0]
    return "identity", v


def model(chain: Chain, found: list[Layer], sums: Value) -> tuple[Record, tuple[str, ...]]:
    """The estimator that layers and what follows them are, and the methods whose results the graph has."""
    count = found[-1].weights.shape[1]
    last, after = found[-1], chain.next(sums)
    mirrored = count == 2 and np.array_equal(last.weights[:, 0], -last.weights[:, 1]) and last.bias[0] == -last.bias[1]
    if mirrored:  # one sum, and the same with its sign turned
        count, last = 1, Layer(last.weights[:, 1:], last.bias[1:], last.activation)
    trial = sample(count)
    known = np.concatenate([-trial, trial], 1) if mirrored else trial
    try:
        h = head(outputs(chain.hub, {sums: known if sums.rank != 1 else known[:, 0]}), trial, sums.dtype == np.float64)
    except Unsupported as e:
        e.node = e.node or after
        raise
    if h.zero:
        raise Unsupported("labels of which a sum of zero is the second class", after)
    found = [*found[:-1], Layer(last.weights * h.scale, last.bias * h.scale + h.shift, last.activation)]
    return (_linear if len(found) == 1 else _perceptron)(found, h, count)


def _linear(found: list[Layer], h: Head, count: int) -> tuple[Record, tuple[str, ...]]:
    w, b = found[0].weights, found[0].bias
    features = len(w)
    if h.kind == "identity":
        coef, intercept = (w[:, 0].copy(), np.float64(b[0])) if h.flat else (np.ascontiguousarray(w.T), b)
        return estimator("LinearRegression", coef_=coef, intercept_=intercept, n_features_in_=features,
                         rank_=features, singular_=np.zeros(0)), ("predict",)
    if h.kind == "exponential" and count == 1:
        return estimator("PoissonRegressor", coef_=w[:, 0].copy(), intercept_=np.float64(b[0]),
                         n_features_in_=features, n_iter_=0, _base_loss=loss("HalfPoissonLoss")), ("predict",)
    if h.kind in ("softmax", "logistic"):
        if h.kind == "softmax" and count == 2:  # which scikit-learn has as one column
            w, b = w[:, 1:] - w[:, :1], b[1:] - b[:1]
        return estimator("LogisticRegression", coef_=np.ascontiguousarray(w.T), intercept_=b, n_features_in_=features,
                         n_iter_=np.zeros(1, np.int32), classes_=classes(h, max(2, count))), shown(h)
    if h.kind == "scores" and count != 2 and h.flat == (count == 1):
        return estimator("LinearSVC", coef_=np.ascontiguousarray(w.T), intercept_=b, n_features_in_=features,
                         n_iter_=0, classes_=classes(h, max(2, count))), ("predict", "decision_function")
    return _perceptron(found, h, count)


def classes(h: Head, count: int) -> Array:
    return np.arange(count) if h.labels is None else h.labels


def shown(h: Head) -> tuple[str, ...]:
    return ("predict_proba",) if h.labels is None else ("predict", "predict_proba")


def _perceptron(found: list[Layer], h: Head, count: int) -> tuple[Record, tuple[str, ...]]:
    hidden = {layer.activation for layer in found[:-1]}
    if len(hidden) > 1:
        raise Unsupported(f"hidden layers with different activations ({', '.join(sorted(hidden))}), where a "
                          "perceptron of scikit-learn has one for all")
    made: dict[str, Any] = {"hidden_layer_sizes": tuple(layer.weights.shape[1] for layer in found[:-1]),
            "activation": next(iter(hidden), "relu"), "n_features_in_": len(found[0].weights),
            "n_layers_": len(found) + 1, "n_outputs_": count, "n_iter_": 0, "t_": 0,
            "coefs_": [np.ascontiguousarray(layer.weights) for layer in found],
            "intercepts_": [layer.bias for layer in found]}
    if h.kind in ("softmax", "logistic"):
        own = classes(h, max(2, count))
        if h.kind == "softmax" and count == 2:
            last = found[-1]
            made["coefs_"][-1] = last.weights[:, 1:] - last.weights[:, :1]
            made["intercepts_"][-1], made["n_outputs_"] = last.bias[1:] - last.bias[:1], 1
        two = made["n_outputs_"] == 1
        binarizer = estimator("LabelBinarizer", y_type_="binary" if two else "multiclass", sparse_input_=False,
                              classes_=own)
        return estimator("MLPClassifier", **made, out_activation_="logistic" if two else "softmax", classes_=own,
                         _label_binarizer=binarizer), shown(h)
    if h.kind not in ("identity", "sigmoid", "exponential"):
        raise Unsupported(f"labels beside numbers that are no probabilities; scikit-learn can hold {KINDS}")
    out = {"identity": "identity", "sigmoid": "logistic", "exponential": "exp"}[h.kind]
    return estimator("MLPRegressor", **made, out_activation_=out), ("predict",)
