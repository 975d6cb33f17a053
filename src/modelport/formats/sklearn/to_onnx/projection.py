"""Rows in other coordinates.

Sources: sklearn/decomposition, cross_decomposition/_pls.py, random_projection.py, kernel_approximation.py,
kernel_ridge.py, neural_network/_rbm.py, covariance/_elliptic_envelope.py, discriminant_analysis.py,
manifold/_isomap.py, preprocessing/_data.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import Type
from ..estimator import Estimator, text
from ..methods import cosine, ints, like, matrix, method, sigmoid
from .common import kernel, matmul, sign_label
from .neighbors import nearest, rows64


def centered(op: Builder, x: Any, mean: Any) -> Value:
    """The rows without their mean."""
    x = matrix(op, x)
    if mean is None:
        return x
    out: Value = op.Sub(x, like(x, np.asarray(mean, np.float64).ravel()))
    return out


# -- principal components and their kin


@method("transform", "PCA", "IncrementalPCA", "RandomizedPCA")
def principal(op: Builder, x: Any, e: Estimator) -> Value:
    w = e.array("components_").T
    if e.get("whiten", False):
        scale = np.sqrt(e.array("explained_variance_"))
        if e.version >= (1, 5):
            scale = np.maximum(scale, np.finfo(np.asarray(e["explained_variance_"]).dtype).eps)
        w = w / scale
    return matmul(op, centered(op, x, e.get("mean_")), w)


def _precision(e: Estimator) -> Array:
    """(features, features): the inverse of the covariance that the components stand for."""
    w, noise = e.array("components_"), np.asarray(e["noise_variance_"], np.float64)
    width = w.shape[1]
    if e.name == "PCA":
        variance = e.array("explained_variance_")
        scaled = w * np.sqrt(variance)[:, None] if e.get("whiten") else w
        covariance = (scaled.T * np.maximum(variance - noise, 0)) @ scaled + noise * np.eye(width)
    else:
        covariance = w.T @ w + np.diag(np.broadcast_to(noise, width))
    return np.asarray(np.linalg.inv(covariance))


@method("score_samples", "PCA", "FactorAnalysis")
def log_likelihood(op: Builder, x: Any, e: Estimator) -> Value:
    x, precision = centered(op, x, e.get("mean_")), _precision(e)
    far = op.ReduceSum(op.Mul(x, matmul(op, x, precision)), ints(1), keepdims=0)
    constant = -0.5 * (len(precision) * np.log(2 * np.pi) - np.linalg.slogdet(precision)[1])
    out: Value = op.Add(op.Mul(far, like(x, -0.5)), like(x, constant))
    return out


@method("transform", "TruncatedSVD", "GaussianRandomProjection", "SparseRandomProjection")
def projected(op: Builder, x: Any, e: Estimator) -> Value:
    return matmul(op, matrix(op, x), e.array("components_").T)


@method("transform", "FastICA")
def sources(op: Builder, x: Any, e: Estimator) -> Value:
    mean = e.get("mean_") if e.get("whiten", True) else None
    return matmul(op, centered(op, x, mean), e.array("components_").T)


@method("transform", "FactorAnalysis")
def factors(op: Builder, x: Any, e: Estimator) -> Value:
    w = e.array("components_")
    weighted = w / e.array("noise_variance_")
    return matmul(op, centered(op, x, e["mean_"]), weighted.T @ np.linalg.inv(np.eye(len(w)) + weighted @ w.T))


@method("transform", "SparsePCA", "MiniBatchSparsePCA")
def sparse_components(op: Builder, x: Any, e: Estimator) -> Value:
    """The ridge regression of the rows on the components, whose solution is linear in the rows."""
    if e.get("normalize_components") is False and e.version < (0, 22):
        raise Unsupported(f"{e.path}: normalize_components=False, by which a row's result depends on the other rows")
    w, alpha = e.array("components_"), float(e["ridge_alpha"])
    solved = np.linalg.solve(w @ w.T + alpha * np.eye(len(w)), w)
    return matmul(op, centered(op, x, e.get("mean_")), solved.T)


@method("transform", "LinearDiscriminantAnalysis")
def discriminants(op: Builder, x: Any, e: Estimator) -> Value:
    solver = text(e["solver"])
    if solver not in ("svd", "eigen"):
        raise Unsupported(f"{e.path}: transform of solver={solver!r}")
    w = e.array("scalings_")[:, :int(e["_max_components"])]
    return matmul(op, centered(op, x, e["xbar_"] if solver == "svd" else None), w)


# -- kernels


def _kernel(op: Builder, x: Any, e: Estimator, points: Array) -> Value:
    gamma = e.get("gamma_", e.get("gamma"))
    coef0, degree = (e.get(k) for k in ("coef0", "degree"))
    return kernel(op, rows64(op, x), points, e["kernel"], None if gamma is None else float(gamma),
                  1 if coef0 is None else float(coef0), 3 if degree is None else float(degree), e.path)


def _center(op: Builder, k: Value, e: Estimator) -> Value:
    """A kernel matrix as if the images of the rows had no mean."""
    row = op.Div(op.ReduceSum(k, ints(1), keepdims=1), like(k, len(e["K_fit_rows_"])))
    out: Value = op.Add(op.Sub(op.Sub(k, like(k, e.array("K_fit_rows_"))), row), like(k, float(e["K_fit_all_"])))
    return out


def _kernel_components(op: Builder, k: Value, e: Estimator) -> Value:
    values, vectors = (np.asarray(e.first(*names), np.float64) for names in
                       (("eigenvalues_", "lambdas_"), ("eigenvectors_", "alphas_")))
    some = values != 0
    return matmul(op, _center(op, k, e["_centerer"]), np.where(some, vectors / np.sqrt(np.where(some, values, 1)), 0))


@method("transform", "KernelPCA")
def kernel_principal(op: Builder, x: Any, e: Estimator) -> Value:
    return _kernel_components(op, _kernel(op, x, e, e.array("X_fit_")), e)


@method("transform", "Isomap")
def isomap(op: Builder, x: Any, e: Estimator) -> Value:
    """The shortest ways to all rows of the fit, through the nearest of them."""
    if e.get("n_neighbors") is None:
        raise Unsupported(f"{e.path}: neighbors within a radius")
    d, at = nearest(op, rows64(op, x), e["nbrs_"], int(e["n_neighbors"]))
    ways = op.Add(op.Gather(e.array("dist_matrix_"), at, axis=0), op.Unsqueeze(d, ints(2)))
    shortest = op.ReduceMin(ways, ints(1), keepdims=0)
    return _kernel_components(op, op.Mul(op.Mul(shortest, shortest), like(d, -0.5)), e["kernel_pca_"])


@method("predict", "KernelRidge")
def kernel_ridge(op: Builder, x: Any, e: Estimator) -> Value:
    w = e.array("dual_coef_")
    y = matmul(op, _kernel(op, x, e, e.array("X_fit_")), w.reshape(len(w), -1))
    out: Value = op.Squeeze(y, ints(1)) if w.ndim == 1 else y
    return out


@method("transform", "Nystroem")
def nystroem(op: Builder, x: Any, e: Estimator) -> Value:
    return matmul(op, _kernel(op, x, e, e.array("components_")), e.array("normalization_").T)


@method("transform", "RBFSampler", "SkewedChi2Sampler")
def sampled(op: Builder, x: Any, e: Estimator) -> Value:
    """What the logarithm of is none is NaN (scikit-learn raises an error)."""
    x = matrix(op, x)
    if e.name == "SkewedChi2Sampler":
        x = op.Log(op.Add(x, like(x, float(e["skewedness"]))))
    angle = op.Add(matmul(op, x, e.array("random_weights_")), like(x, e.array("random_offset_")))
    out: Value = op.Mul(cosine(op, angle), like(x, np.sqrt(2 / int(e["n_components"]))))
    return out


@method("transform", "AdditiveChi2Sampler")
def additive(op: Builder, x: Any, e: Estimator) -> Value:
    """Negative numbers give NaN (scikit-learn raises an error)."""
    x, steps = matrix(op, x), int(e["sample_steps"])
    interval = e.get("sample_interval_", e.get("sample_interval"))
    if interval is None:
        interval = {1: 0.8, 2: 0.5, 3: 0.4}[steps]
    interval = float(interval)
    none = op.Equal(x, like(x, 0))
    some = op.Where(none, like(x, 1), x)

    def kept(y: Value) -> Value:
        out: Value = op.Where(none, like(x, 0), y)
        return out
    made = [kept(op.Sqrt(op.Mul(some, like(x, interval))))]
    angle = op.Mul(op.Log(some), like(x, interval))
    for j in range(1, steps):
        factor = op.Sqrt(op.Mul(some, like(x, 2 * interval / np.cosh(np.pi * j * interval))))
        turned = op.Mul(angle, like(x, j))
        made += [kept(op.Mul(factor, cosine(op, turned))), kept(op.Mul(factor, op.Sin(turned)))]
    out: Value = op.Concat(*made, axis=1) if len(made) > 1 else made[0]
    return out


@method("transform", "PolynomialCountSketch")
def count_sketch(op: Builder, x: Any, e: Estimator) -> Value:
    """The circular convolution of several sketches: the product of their discrete Fourier transforms."""
    x, n = rows64(op, x), int(e["n_components"])
    if n > 2048:
        raise Unsupported(f"{e.path}: n_components={n}: the Fourier matrices would be too large")
    where, signs, coef0 = np.asarray(e["indexHash_"], np.int64), e.array("bitHash_"), float(e["coef0"])
    degree, width = where.shape
    angle = 2 * np.pi * (np.outer(np.arange(n), np.arange(n)) % n) / n
    cos, sin = np.cos(angle), np.sin(angle)
    real: Any = None
    imaginary: Any = None
    for d in range(degree):
        sketch = np.zeros((width, n))
        sketch[np.arange(width), where[d]] = signs[d]
        scale = np.sqrt(float(e["gamma"]))
        inputs = width - (coef0 != 0)
        y = op.Mul(matmul(op, x, sketch[:inputs]), like(x, scale))
        if coef0 != 0:
            y = op.Add(y, like(x, np.sqrt(coef0) * sketch[-1]))
        a, b = matmul(op, y, cos), matmul(op, y, -sin)
        if real is not None:
            a, b = op.Sub(op.Mul(real, a), op.Mul(imaginary, b)), op.Add(op.Mul(real, b), op.Mul(imaginary, a))
        real, imaginary = a, b
    out: Value = op.Sub(matmul(op, real, cos / n), matmul(op, imaginary, sin / n))
    return out


# -- two blocks of columns

PLS = ("PLSRegression", "PLSCanonical", "CCA")


def _standard(op: Builder, x: Any, e: Estimator) -> Value:
    x = centered(op, x, e.first("_x_mean", "x_mean_"))
    out: Value = op.Div(x, like(x, np.asarray(e.first("_x_std", "x_std_"), np.float64)))
    return out


@method("transform", *PLS, "PLSSVD")
def latent(op: Builder, x: Any, e: Estimator) -> Value:
    name = ("x_weights_",) if e.name == "PLSSVD" else ("x_rotations_",)
    return matmul(op, _standard(op, x, e), np.asarray(e.first(*name), np.float64))


@method("predict", *PLS)
def pls(op: Builder, x: Any, e: Estimator) -> Value:
    """The coefficients were those of scaled columns before 1.5, and (features, outputs) before 1.1."""
    mean = np.asarray(e.first("intercept_", "_y_mean", "y_mean_"), np.float64)
    if "_coef_" in e:
        y = matmul(op, _standard(op, x, e), e.array("_coef_").T)
    elif e.version >= (1, 3):
        rows = centered(op, x, e["_x_mean"]) if e.version >= (1, 5) else _standard(op, x, e)
        y = matmul(op, rows, e.array("coef_").T)
    else:
        y = matmul(op, _standard(op, x, e), e.array("coef_"))
    y = op.Add(y, like(y, mean))
    out: Value = op.Squeeze(y, ints(1)) if e.get("_predict_1d", False) else y
    return out


# -- others


@method("transform", "BernoulliRBM")
def hidden(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    return sigmoid(op, op.Add(matmul(op, x, e.array("components_").T), like(x, e.array("intercept_hidden_"))))


@method("score_samples", "EllipticEnvelope")
def mahalanobis(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows): minus the squared distance from the center, in units of the covariance."""
    x = centered(op, x, e["location_"])
    kept = e.get("precision_") is not None
    precision = e.array("precision_") if kept else np.linalg.pinv(e.array("covariance_"), hermitian=True)
    out: Value = op.Neg(op.ReduceSum(op.Mul(x, matmul(op, x, precision)), ints(1), keepdims=0))
    return out


@method("decision_function", "EllipticEnvelope")
def envelope_score(op: Builder, x: Any, e: Estimator) -> Value:
    y = mahalanobis(op, x, e)
    out: Value = op.Sub(y, like(y, float(e["offset_"])))
    return out


@method("predict", "EllipticEnvelope")
def envelope(op: Builder, x: Any, e: Estimator) -> Value:
    return sign_label(op, envelope_score(op, x, e))


@method("transform", "SparseCoder", "DictionaryLearning", "MiniBatchDictionaryLearning")
def coded(op: Builder, x: Any, e: Estimator) -> Value:
    how, x = text(e["transform_algorithm"]), matrix(op, x)
    words = np.asarray(e.first("components_", "dictionary"), np.float64)
    y = matmul(op, x, words.T)
    if how == "omp":
        wanted = e.get("transform_n_nonzero_coefs")
        y = _pursued(op, y, words @ words.T, int(min(max(words.shape[1] / 10, 1), len(words)) if wanted is None
                                                 else wanted), e.path)
    elif how == "threshold":
        alpha = e.get("transform_alpha")
        if alpha is None:
            alpha = e.get("alpha") if e.version >= (1, 2) else None
        over = op.Relu(op.Sub(op.Abs(y), like(x, 1.0 if alpha is None else float(alpha))))
        y = op.Mul(op.Sign(y), over)
    else:
        raise Unsupported(f"{e.path}: transform_algorithm={how!r} follows a path of its own for each row; 'omp' and "
                          "'threshold' can be said")
    if e.get("positive_code", False):
        y = op.Relu(y)
    out: Value = op.Concat(op.Relu(y), op.Relu(op.Neg(y)), axis=1) if e.get("split_sign") else y
    return out


def _pursued(op: Builder, y: Value, gram: Array, count: int, path: str) -> Value:
    """(rows, words): orthogonal matching pursuit from the products ``y`` of the rows with the words.  The word that
    fits best what is left is taken in, ``count`` times, unless nothing is left or it depends on the others."""
    if not 1 <= count <= min(32, len(gram)):
        raise Unsupported(f"{path}: {count} coefficients of {len(gram)} words")
    code, left, least = op.Mul(y, like(y, 0)), y, like(y, np.finfo(np.float64).eps)
    none, taken, going = code, None, None
    for k in range(1, count + 1):
        best = op.ArgMax(op.Abs(left), axis=1, keepdims=1)
        fit = op.ReduceMax(op.Abs(left), ints(1), keepdims=1)
        open_ = op.Not(op.Less(op.Mul(fit, fit), least))
        if taken is not None:
            again = op.ReduceMax(op.Cast(op.Equal(taken, best), to=7), ints(1), keepdims=1)
            open_ = op.And(op.And(going, open_), op.Equal(again, np.int64(0)))
        taken = best if taken is None else op.Concat(taken, best, axis=1)
        at = op.Add(op.Mul(op.Unsqueeze(taken, ints(2)), np.int64(len(gram))), op.Unsqueeze(taken, ints(1)))
        a = op.Gather(like(y, gram.ravel()), at, axis=0)
        w, pivot = _solved(op, a, op.Unsqueeze(op.GatherElements(y, taken, axis=1), ints(2)), k)
        going = open_ if k == 1 else op.And(open_, op.Greater(pivot, least))
        new = op.ScatterElements(none, taken, op.Squeeze(w, ints(2)), axis=1)
        code = op.Where(going, new, code)
        left = op.Sub(y, matmul(op, code, gram))
    return code


@method("transform", "LatentDirichletAllocation")
def topics(op: Builder, x: Any, e: Estimator) -> Value:
    """How much of each topic there is in a document: each row is improved until it changes little.  Negative counts
    give NaN (scikit-learn raises an error)."""
    x, words = rows64(op, x), e.array("exp_dirichlet_component_")
    x = op.Where(op.Less(x, like(x, 0)), like(x, np.nan), x)
    count = len(words)
    rows = op.Shape(x, start=0, end=1)
    shape = op.Concat(rows, ints(count), axis=0)
    first = op.Expand(like(x, 1), shape)
    start = op.Exp(op.Sub(_digamma(op, first), _digamma(op, op.ReduceSum(first, ints(1), keepdims=1))))
    open_ = op.Expand(np.ones((1, 1), bool), op.Concat(rows, ints(1), axis=0))
    body = _topic_turn(op, x, first, open_, words, e)
    found, _, _ = op.Loop(np.int64(e["max_doc_update_iter"]), np.array(True), first, start, open_, x, body=body,
                          captures=1, outputs=3)
    out: Value = op.Div(found, op.ReduceSum(found, ints(1), keepdims=1))
    return out


def _topic_turn(op: Builder, rows: Value, doc_: Value, open__: Value, words: Array, e: Estimator) -> Graph:
    turn, going = Value(Type(np.dtype(np.int64), ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    doc, weight, open_, x = (Value(v.type, n) for v, n in ((doc_, "doc"), (doc_, "weight"), (open__, "open"),
                                                           (rows, "x")))
    phi = op.Add(matmul(op, weight, words), like(x, np.finfo(np.float64).eps))
    new = op.Add(op.Mul(weight, matmul(op, op.Div(x, phi), words.T)), like(x, float(e["doc_topic_prior_"])))
    total = op.ReduceSum(new, ints(1), keepdims=1)
    change = op.ReduceMean(op.Abs(op.Sub(doc, new)), ints(1), keepdims=1)
    next_weight = op.Exp(op.Sub(_digamma(op, new), _digamma(op, total)))
    still = op.And(open_, op.Not(op.Less(change, like(x, float(e["mean_change_tol"])))))
    more = op.Greater(op.ReduceMax(op.Cast(still, to=1), keepdims=0), np.float32(0))
    return Graph({"turn": turn, "going": going, "doc": doc, "weight": weight, "open": open_, "x": x},
                 {"more": more, "next": op.Where(open_, new, doc), "next_weight": op.Where(open_, next_weight, weight),
                  "still": still})


def _digamma(op: Builder, x: Value) -> Value:
    """The derivative of the logarithm of the gamma function as decomposition/_online_lda_fast.pyx takes it, whose
    series ends early: it is right to 1e-7."""
    least, total = x, like(x, 0)
    for _ in range(6):
        small = op.Less(x, like(x, 6))
        total = op.Sub(total, op.Where(small, op.Reciprocal(x), like(x, 0)))
        x = op.Where(small, op.Add(x, like(x, 1)), x)
    r = op.Reciprocal(x)
    y = op.Mul(r, r)
    series = op.Sub(like(x, 1 / 120), op.Mul(y, like(x, 1 / 252)))
    series = op.Mul(y, op.Sub(like(x, 1 / 12), op.Mul(y, series)))
    far = op.Sub(op.Add(total, op.Sub(op.Log(x), op.Mul(r, like(x, 0.5)))), series)
    tiny = op.Sub(like(x, -np.euler_gamma), op.Reciprocal(least))
    out: Value = op.Where(op.LessOrEqual(least, like(x, 1e-6)), tiny, far)
    return out


def _solved(op: Builder, a: Value, b: Value, k: int) -> tuple[Value, Value]:
    """(rows, k, 1): what the positive definite ``a`` (rows, k, k) makes ``b`` (rows, k, 1) of; and the last pivot
    (rows, 1), which is what of the last column does not depend on those before it."""
    a = op.Concat(a, b, axis=2)
    for j in range(k):
        row = op.Slice(a, ints(j), ints(j + 1), ints(1))
        pivot = op.Slice(row, ints(j), ints(j + 1), ints(2))
        column = op.Sub(op.Slice(a, ints(j), ints(j + 1), ints(2)), like(a, np.eye(k)[:, j:j + 1]))
        a = op.Sub(a, op.Mul(column, op.Div(row, pivot)))
    return op.Slice(a, ints(k), ints(k + 1), ints(2)), op.Squeeze(pivot, ints(2))


@method("transform", "LocallyLinearEmbedding")
def local_weights(op: Builder, x: Any, e: Estimator) -> Value:
    """The weights that make a row of its neighbors make its place of theirs."""
    x, inner, k = rows64(op, x), e["nbrs_"], int(e["n_neighbors"])
    if k > 32:
        raise Unsupported(f"{e.path}: n_neighbors={k}: systems of more than 32 equations")
    at = nearest(op, x, inner, k)[1]
    c = op.Sub(op.Gather(inner.array("_fit_X"), at, axis=0), op.Unsqueeze(x, ints(1)))
    gram = op.MatMul(c, op.Transpose(c, perm=[0, 2, 1]))
    trace = op.ReduceSum(op.Mul(gram, like(x, np.eye(k))), ints(1, 2), keepdims=1)
    scale = op.Where(op.Greater(trace, like(x, 0)), trace, like(x, 1))
    a = op.Add(gram, op.Mul(like(x, float(e["reg"]) * np.eye(k)), scale))
    ones = op.Expand(like(x, 1), op.Concat(op.Shape(x, start=0, end=1), ints(k, 1), axis=0))
    w = _solved(op, a, ones, k)[0]
    w = op.Div(w, op.ReduceSum(w, ints(1), keepdims=1))
    out: Value = op.ReduceSum(op.Mul(op.Gather(e.array("embedding_"), at, axis=0), w), ints(1), keepdims=0)
    return out
