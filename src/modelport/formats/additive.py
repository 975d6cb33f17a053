"""Hub graphs that are trees whose leaves are added up, and then a function that libraries of boosting have.

What follows the trees is told by what it does: the rest of the graph is computed for a sample of sums, by ONNX's own
reference, and compared with each function; a graph that is none of them is refused."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import Unsupported, UnsupportedModel, printable
from ..hub import trees as validity
from ..hub.evaluate import evaluate
from ..ir.graph import Graph, Node, Value, constant
from ..ir.tensor import Array, Tensor
from ..ir.types import STRING
from ..notes import Note
from . import membership
from .ensemble import LEQ, LT, Ensemble
from .membership import Meaning

KINDS = {"identity": "a weighted sum", "logistic": "the logistic function", "softmax": "the softmax",
         "exponential": "the exponential"}
_LEQ, _LT, _GTE, _GT, _MEMBER = 0, 1, 2, 3, 6
_NAMES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")


@dataclass(frozen=True, eq=False)
class Additive:
    """``trees`` with the margins' base; ``kind`` is what is made of the margins; ``labelled`` whether the class is an
    output too, of which the file says the number; ``labels`` what the numbers stand for, where that is something else.
    ``names`` are the graph's outputs, ``wide`` says that rows are of 64 bits."""

    trees: Ensemble
    kind: str
    labelled: bool
    names: tuple[str, ...]
    wide: bool
    labels: tuple[Any, ...] = ()

    def noted(self) -> tuple[Note, ...]:
        """What the file does not say."""
        if not self.labels:
            return ()
        names = ", ".join(printable(n, 40) for n in self.labels[:8])
        return (Note("warning", f"labels are written as the numbers of the classes, 0 to {len(self.labels) - 1}, which "
                     f"stand for {names}"),)


def recognised(hub: Graph, target: str, sets: Meaning) -> Additive:
    """The graph as trees and a function, with sets of categories as the target means them; :class:`UnsupportedModel`
    for any other, with the reason."""
    try:
        return _recognised(hub, sets)
    except Unsupported as e:
        e.node = e.node or next(iter(hub.outputs.values())).node
        raise UnsupportedModel([e], target) from None


def _recognised(hub: Graph, sets: Meaning) -> Additive:
    nodes = list(hub.nodes)
    found = [n for n in nodes if n.op in (*validity.OLD, validity.NEW)]
    if len(found) != 1:
        raise Unsupported(f"a model with {len(found)} tree ensembles; one, and a known function of its sums, can be "
                          "written", found[0] if found else None)
    node, = found
    if len(hub.inputs) != 1:
        raise Unsupported("a model of several inputs; only one matrix of numbers can be written")
    (source,) = hub.inputs.values()
    if source.shape is None or len(source.shape) != 2 or not isinstance(source.shape[1], int):
        raise Unsupported("rows of an unknown number of features")
    trees, post = parsed(node, source, sets=True)
    trees = membership.native(trees, _seen(nodes, node, source, trees), sets)
    names = tuple(hub.outputs)
    rng = np.random.default_rng(5)
    sample = np.round(rng.normal(size=(48, trees.outputs)) * rng.choice([0.3, 1, 3], (48, 1)), 4)
    made = _rest(hub, nodes, node, post, sample, trees)
    label = next((k for k in names if made[k].ndim == 1 and made[k].dtype.kind != "f"), None)
    numbers = [k for k in names if k != label]
    if len(numbers) != 1 or made[numbers[0]].dtype.kind != "f":
        raise Unsupported("outputs other than one of numbers and one of labels; --outputs picks some")
    kind, scale, shift = _kind(sample, made[numbers[0]].astype(np.float64))
    value, base = trees.value * scale, trees.base * scale + shift
    labels: tuple[Any, ...] = ()
    if label is not None:
        if kind not in ("logistic", "softmax"):
            raise Unsupported("labels of probabilities that are means of the trees', which no objective makes; "
                              "--outputs predict_proba writes the probabilities as numbers")
        margins = sample * scale + shift
        want = (margins[:, 0] > 0).astype(int) if kind == "logistic" else margins.argmax(1)
        labels = _labels(made[label], want)
    elif kind == "logistic" and made[numbers[0]].ndim == 2 and made[numbers[0]].shape[1] == 2:
        raise Unsupported("probabilities without labels")
    return Additive(replace(trees, value=value, base=base), kind, label is not None, names, source.dtype == np.float64,
                    labels)


def _labels(got: Array, want: Array) -> tuple[Any, ...]:
    """What the numbers of the classes stand for; empty if it is the numbers themselves."""
    if got.dtype.kind in "iu" and (got == want).all():
        return ()
    names = dict(zip(want.tolist(), got.tolist(), strict=True))
    if got.ndim != 1 or got.dtype.kind not in "iuO" or [names[k] for k in want.tolist()] != got.tolist() or \
            sorted(names) != list(range(len(names))) or len(set(names.values())) < len(names):
        raise Unsupported("labels that do not stand for the greatest of the numbers")
    return tuple(names[k] for k in range(len(names)))


def _seen(nodes: Sequence[Node], node: Node, source: Value, trees: Ensemble) -> bool:
    """Whether numbers between -1 and 0 are category 0, from what the trees see of rows; :class:`Unsupported` where
    rows are changed but for the cutting of categories."""
    x = node.inputs[0]
    assert x is not None and source.shape is not None and isinstance(source.shape[1], int)
    given = membership.probes(trees, source.shape[1], source.dtype)
    known = {id(source): constant(given)}
    _computed(nodes, node, known, "what comes before the trees is not in the file's power")
    if id(x) not in known:
        raise Unsupported("what comes before the trees is not in the file's power", x.node)
    made = known[id(x)].numpy()
    with np.errstate(over="ignore"):
        return membership.meaning(given.astype(made.dtype), made, trees)


def _rest(hub: Graph, nodes: Sequence[Node], node: Node, post: str, sums: Array, trees: Ensemble) -> dict[str, Array]:
    """The outputs of the graph where the trees' sums are these."""
    known: dict[int, Any] = {}
    for v, array in zip(node.outputs, _answers(node, post, sums, trees), strict=True):
        known[id(v)] = constant(array.astype(object) if array.dtype.kind == "U" else array.astype(v.dtype))
    _computed(nodes, node, known, "what follows the trees takes the rows too")
    if missing := [k for k, v in hub.outputs.items() if id(v) not in known]:
        raise Unsupported(f"the output '{missing[0]}', which does not come from the trees")
    return {k: known[id(v)].numpy() for k, v in hub.outputs.items()}


def _computed(nodes: Sequence[Node], trees: Node, known: dict[int, Any], otherwise: str) -> None:
    """Computes what comes of known values alone; the ``trees`` do not."""
    for n in nodes:
        ins = [None if v is None else known.get(id(v), v) for v in n.inputs]
        if n is trees or not any(id(v) in known for v in n.inputs if v is not None):
            continue
        if any(v is not None and v.data is None for v in ins):
            raise Unsupported(otherwise, n)
        made = evaluate(Node(n.op, ins, n.attrs, [v.type for v in n.outputs]))
        if made is None:
            raise Unsupported(f"{n.op} beside the trees", n)
        for v, array in zip(n.outputs, made, strict=True):
            known[id(v)] = constant(array)


def _answers(node: Node, post: str, sums: Array, trees: Ensemble) -> list[Array]:
    """What the operator makes of sums: the function that it has itself, and the label of a classifier."""
    classifier = node.op == validity.OLD[0]
    labels = np.array(node.attrs.get("classlabels_strings") or node.attrs.get("classlabels_int64s") or (0,), object)
    scores = sums
    if classifier and len(labels) == 2 and trees.outputs == 1:
        index = (sums[:, 0] > 0).astype(int)
        scores = np.concatenate([-sums, sums], 1)
    elif classifier:
        index = sums.argmax(1)
    if post == "LOGISTIC":
        scores = 1 / (1 + np.exp(-scores))
    elif post == "SOFTMAX":
        e = np.exp(scores - scores.max(1, keepdims=True))
        scores = e / e.sum(1, keepdims=True)
    elif post != "NONE":
        raise Unsupported(f"the function {post} after the trees", node)
    if not classifier:
        return [scores]
    made = labels[index]
    return [made if node.outputs[0].dtype == STRING else made.astype(np.int64), scores]


def _kind(sums: Array, y: Array) -> tuple[str, float, Array]:
    """Which function of ``scale * sums + shift`` the numbers are."""
    rows, k = sums.shape
    flat = y[:, None] if y.ndim == 1 else y
    with np.errstate(all="ignore"):
        if flat.shape == (rows, k):
            if (fit := _line(sums, flat)) is not None:
                return "identity", *fit
            if k == 1 and (fit := _line(sums, np.log(flat))) is not None:
                return "exponential", *fit
            centred = [a - a.mean(1, keepdims=True) for a in (sums, np.log(flat))]
            if k > 2 and (fit := _line(centred[0], centred[1])) is not None:
                return "softmax", *fit
        if k == 1 and flat.shape == (rows, 2) and np.allclose(flat.sum(1), 1, atol=1e-5) and \
                (fit := _line(sums, np.log(flat[:, 1:] / (1 - flat[:, 1:])))) is not None:
            return "logistic", *fit
    raise Unsupported("what follows the trees is none of " + ", ".join(KINDS.values()))


def _line(x: Array, y: Array) -> tuple[float, Array] | None:
    """Scale and shift of ``y = scale * x + shift``, one shift for each column; ``None`` if it is no such line."""
    if not np.isfinite(y).all():
        return None
    middle = x - x.mean(0)
    scale = float((middle * (y - y.mean(0))).sum() / (middle ** 2).sum())
    near = float(np.round(scale, 5))
    if near and abs(scale - near) < 2e-6 * abs(near):
        scale = near
    shift = y.mean(0) - scale * x.mean(0)
    shift = np.where(np.abs(shift) < 1e-5, 0, shift)
    good = np.abs(scale * x + shift - y).max() <= 1e-4 * max(1.0, float(np.abs(y).max()))
    return (scale, shift) if good and scale else None


# -- the operator's attributes as the record


def parsed(node: Node, source: Value, sets: bool = False) -> tuple[Ensemble, str]:
    """The trees of an operator, every question in the form "at or below a threshold", and its own function; with
    ``sets`` whether a number is in a set is a question too."""
    features = source.shape[1] if source.shape is not None else 0
    assert isinstance(features, int)
    validity.check(node.op, node.attrs, features)
    made = (_new if node.op == validity.NEW else _old)(node, features, node.inputs[0])
    if made[0].members and not sets:
        raise Unsupported(_OTHER, node)
    return made


_OTHER = "questions other than whether a number is below another"


def _numbers(attrs: Mapping[str, Any], name: str, dtype: Any = np.float64) -> Array:
    found = attrs.get(f"{name}_as_tensor", attrs.get(name, ()))
    return np.asarray(found.numpy().ravel() if isinstance(found, Tensor) else found, dtype)


def _old(node: Node, features: int, x: Any) -> tuple[Ensemble, str]:
    a = node.attrs
    kind = "class" if node.op == validity.OLD[0] else "target"
    tree, number = _numbers(a, "nodes_treeids", np.int64), _numbers(a, "nodes_nodeids", np.int64)
    count = len(tree)
    where = {pair: k for k, pair in enumerate(zip(tree.tolist(), number.tolist(), strict=True))}
    leaf = np.array([m == "LEAF" for m in a["nodes_modes"]], bool)

    def child(name: str) -> Array:
        pairs = zip(tree.tolist(), _numbers(a, name, np.int64).tolist(), strict=True)
        return np.array([-1 if end else where[pair] for pair, end in zip(pairs, leaf.tolist(), strict=True)], np.int64)
    modes = [_NAMES.index(m) if m in _NAMES else -1 for m in a["nodes_modes"]]
    tracks = _numbers(a, "nodes_missing_value_tracks_true", np.int64)
    missing = np.zeros(count, bool)
    missing[:len(tracks)] = tracks == 1
    labels = len(a.get("classlabels_strings") or a.get("classlabels_int64s") or ())
    ids = _numbers(a, f"{kind}_ids", np.int64)
    outputs = int(a.get("n_targets", 1)) if kind == "target" else labels
    if kind == "class" and labels == 2:
        if len(set(ids.tolist())) > 1:
            raise Unsupported("weights for both of two classes", node)
        if not (_numbers(a, "class_weights") < 0).any():
            raise Unsupported("two classes whose scores are never negative, which have another rule", node)
        outputs, ids = 1, ids * 0
    elif kind == "class" and labels < 3:
        raise Unsupported("a classifier of one class", node)
    value = np.zeros((count, outputs))
    at = np.array([where[p] for p in zip(_numbers(a, f"{kind}_treeids", np.int64).tolist(),
                                         _numbers(a, f"{kind}_nodeids", np.int64).tolist(), strict=True)], np.int64)
    np.add.at(value, (at, ids), _numbers(a, f"{kind}_weights"))
    if a.get("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        raise Unsupported(f"trees of which the {a['aggregate_function']} is taken", node)
    roots = np.flatnonzero(np.concatenate([[True], tree[1:] != tree[:-1]]))
    if a.get("aggregate_function") == "AVERAGE":
        value /= len(roots)
    made = _record(node, x, features, outputs, roots, child("nodes_truenodeids"), child("nodes_falsenodeids"),
                   _numbers(a, "nodes_featureids", np.int64), _numbers(a, "nodes_values"), modes, missing, value)
    base = _numbers(a, "base_values")
    return replace(made, base=np.broadcast_to(base, (outputs,)) if len(base) else np.zeros(outputs)), \
        str(a.get("post_transform", "NONE"))


def _new(node: Node, features: int, x: Any) -> tuple[Ensemble, str]:
    a = node.attrs
    if int(a.get("aggregate_function", 1)) not in (0, 1) or int(a.get("post_transform", 0)):
        raise Unsupported("trees that are not added up, or a function that the operator has itself", node)
    weights, targets = _numbers(a, "leaf_weights"), _numbers(a, "leaf_targetids", np.int64)
    inner, outputs = len(_numbers(a, "nodes_featureids")), int(a.get("n_targets", 1))
    end = np.full(len(weights), -1)

    def child(side: str) -> Array:
        at, last = (_numbers(a, f"nodes_{side}{k}", np.int64) for k in ("nodeids", "leafs"))
        return np.concatenate([np.where(last != 0, at + inner, at), end])
    value = np.zeros((inner + len(weights), outputs))
    value[inner + np.arange(len(weights)), targets] = weights
    if int(a.get("aggregate_function", 1)) == 0:
        value /= len(a["tree_roots"])
    tracks = _numbers(a, "nodes_missing_value_tracks_true", np.int64)
    missing = np.zeros(len(value), bool)
    missing[:len(tracks)] = tracks == 1
    none = np.zeros(len(weights))
    parts = np.split(sets := _numbers(a, "membership_values"), np.flatnonzero(np.isnan(sets)) + 1)
    asked = np.flatnonzero(_numbers(a, "nodes_modes", np.int64) == _MEMBER)
    members = {int(n): part[:-1] for n, part in zip(asked, parts, strict=False)}
    if len(members) < len(asked):
        raise Unsupported("sets that are not there", node)
    made = _record(node, x, features, outputs, _numbers(a, "tree_roots", np.int64), child("true"), child("false"),
                   np.concatenate([_numbers(a, "nodes_featureids", np.int64), none.astype(np.int64)]),
                   np.concatenate([_numbers(a, "nodes_splits"), none]),
                   [int(m) for m in _numbers(a, "nodes_modes")] + [-1] * len(weights), missing, value, members)
    return replace(made, base=np.zeros(outputs)), "NONE"


def _record(node: Node, x: Any, features: int, outputs: int, roots: Array, true: Array, false: Array, feature: Array,
            threshold: Array, modes: Sequence[int], missing: Array, value: Array,
            members: Mapping[int, Array] | None = None) -> Ensemble:
    """Questions turned into "at or below": the number before a threshold, of the type that is compared, stands for
    "below"; sides are changed for "above"."""
    mode = np.array(modes)
    leaf = true < 0
    if not np.isin(mode[~leaf], (_LEQ, _LT, _GTE, _GT, _MEMBER)).all():
        raise Unsupported(_OTHER, node)
    kind = x.dtype if x.dtype == np.float64 else np.dtype(np.float32)
    threshold = threshold.astype(kind)
    before = np.isin(mode, (_LT, _GTE)) & ~leaf
    threshold = np.where(before, np.nextafter(threshold, kind.type(-np.inf)), threshold)
    turned = np.isin(mode, (_GT, _GTE)) & ~leaf
    left, right = np.where(turned, false, true), np.where(turned, true, false)
    own = np.zeros(len(roots), np.int64)
    return Ensemble(roots, left, right, np.where(leaf, 0, feature), np.where(leaf, 0, threshold).astype(kind),
                    np.where(turned, ~missing, missing) & ~leaf, value, own, outputs, features, LEQ,
                    members or {}).checked()


def single(trees: Ensemble) -> list[tuple[Ensemble, int]]:
    """One tree for each output that a tree adds to: libraries have leaves of one number.  The base is in the first
    tree of each output; an output without trees gets one of a single leaf."""
    trees = trees.in_order()
    ends = [*trees.roots[1:], len(trees.left)]
    made: list[tuple[Ensemble, int]] = []
    base = np.array(trees.base if len(trees.base) else np.zeros(trees.outputs), np.float64)
    for root, end in zip(trees.roots.tolist(), ends, strict=True):
        own = slice(root, end)
        part = replace(trees, roots=np.array([0]), left=np.where(trees.left[own] < 0, -1, trees.left[own] - root),
                       right=np.where(trees.left[own] < 0, -1, trees.right[own] - root), feature=trees.feature[own],
                       threshold=trees.threshold[own], missing_left=trees.missing_left[own], value=trees.value[own],
                       target=np.array([0]), members={n - root: m for n, m in trees.members.items()
                                                      if root <= n < end})
        for k in range(trees.outputs):
            if part.value[:, k].any():
                value = np.where(part.leaves, part.value[:, k] + base[k], 0)[:, None]
                base[k] = 0
                made.append((replace(part, value=value, outputs=1), k))
    told = {k for _, k in made}
    return made + [(stump(trees, base[k]), k) for k in range(trees.outputs) if base[k] or k not in told]


def stump(like: Ensemble, value: float) -> Ensemble:
    """A tree of one leaf."""
    none = np.zeros(1, np.int64)
    return replace(like, roots=none, left=none - 1, right=none - 1, feature=none,
                   threshold=np.zeros(1, like.threshold.dtype), missing_left=none.astype(bool),
                   value=np.array([[float(value)]]), target=none, outputs=1, members={}, base=np.zeros(0))


def strictly(trees: Ensemble) -> Array:
    """Thresholds of 32 bits with which "below" decides numbers of 32 bits as "at or below" did."""
    from .ensemble import below
    most = np.finfo(np.float32).max  # infinite numbers are refused by who reads the file
    if trees.mode != LEQ:
        return np.clip(below(trees.threshold, LT), -most, most)
    near = np.clip(below(trees.threshold), -most, most)
    with np.errstate(over="ignore"):
        return np.clip(np.nextafter(near, np.float32(np.inf)), -most, most)
