"""Models that their own library no longer opens: what wrote them, what stands in the way today, and the way out.

Sources of the facts: the change logs of scikit-learn, XGBoost and Keras; each obstacle names the version that put it
there."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import registry
from .codecs.limits import DEFAULT, Limits
from .errors import ModelportError, Unsupported, printable

Version = tuple[int, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What a file is (``written`` by what, in words), what keeps today's library from opening it, and the suffix of
    the form that it should have today."""

    file: str
    title: str
    written: str
    obstacles: tuple[str, ...]
    suffix: str = ".onnx"

    def text(self) -> str:
        lines = [f"{printable(self.file)}: {self.title}, {self.written}"]
        if not self.obstacles:
            return "\n".join([*lines, "  nothing known stands in the way of opening it today"])
        return "\n".join([*lines, *(f"  in the way: {o}" for o in self.obstacles)])


def diagnose(path: str | Path, limits: Limits = DEFAULT) -> Diagnosis:
    """What wrote a file and what stands in the way of opening it; nothing in it is run."""
    path = Path(path)
    spec = registry.detect(path)
    look = {"sklearn": _pickle, "xgboost": _xgboost, "keras": _keras}.get(spec.name)
    written, obstacles = look(path, limits) if look is not None else ("of any version", ())
    old_booster = spec.name == "xgboost" and bool(obstacles) and written.startswith("the old")
    return Diagnosis(str(path), spec.title, written, tuple(obstacles), ".ubj" if old_booster else ".onnx")


def version_of(text: str) -> Version:
    return tuple(int(p) for p in re.findall(r"\d+", text)[:3])


# -- pickles

MOVED = ("sklearn.ensemble.forest", "sklearn.ensemble.gradient_boosting", "sklearn.ensemble.weight_boosting",
         "sklearn.ensemble.bagging", "sklearn.ensemble.iforest", "sklearn.ensemble.voting", "sklearn.tree.tree",
         "sklearn.linear_model.base", "sklearn.linear_model.logistic", "sklearn.linear_model.ridge",
         "sklearn.linear_model.stochastic_gradient", "sklearn.linear_model.coordinate_descent", "sklearn.svm.classes",
         "sklearn.neighbors.classification", "sklearn.neighbors.regression", "sklearn.neighbors.kd_tree",
         "sklearn.neighbors.ball_tree", "sklearn.preprocessing.data", "sklearn.preprocessing.label",
         "sklearn.preprocessing.imputation", "sklearn.feature_extraction.dict_vectorizer", "sklearn.cluster.k_means_",
         "sklearn.decomposition.pca", "sklearn.neural_network.multilayer_perceptron",
         "sklearn.mixture.gaussian_mixture", "sklearn.gaussian_process.gpr", "sklearn.gaussian_process.gpc",
         "sklearn.feature_selection.univariate_selection")
"""Modules that scikit-learn 0.22 renamed and 0.24 took away."""


def _pickle(path: Path, limits: Limits) -> tuple[str, list[str]]:
    from .codecs import compressed, pickle
    from .formats.sklearn.contents import written_with
    found = pickle.read(compressed.expand(path.read_bytes(), limits), limits, folder=path.parent)
    versions = written_with(found)
    modules = {n.module for n in found.names}
    if any(m.startswith("xgboost") for m in modules):
        versions = {**versions, "XGBoost": _booster_version(found)}
    written = "a pickle" + (" written with " + ", ".join(f"{k} {v}" for k, v in versions.items() if v) if versions else
                            " that does not say what wrote it")
    return written, list(_pickle_obstacles(modules, versions))


def _booster_version(found: object) -> str:
    from .codecs.pickle import Pickled, Record, walk
    from .formats.xgboost.model import parse
    assert isinstance(found, Pickled)
    for x in walk(found.objects):
        if isinstance(x, Record) and x.path.endswith(".Booster") and isinstance(x.state, dict):
            handle = x.state.get("handle")
            if isinstance(handle, (bytes, bytearray)):
                try:
                    return ".".join(map(str, parse(bytes(handle)).version))
                except (ModelportError, Unsupported):  # a version that cannot be told is none
                    return ""
    return ""


def _pickle_obstacles(modules: set[str], versions: Mapping[str, str]) -> Iterator[str]:
    gone = sorted(m for m in modules if m in MOVED)
    if gone:
        yield (f"{', '.join(gone[:3])}{' and others' if len(gone) > 3 else ''}: renamed in scikit-learn 0.22 and gone "
               "since 0.24, so that unpickling ends in ModuleNotFoundError")
    if any(m.startswith("sklearn.externals") for m in modules):
        yield "sklearn.externals.joblib: gone since scikit-learn 0.23"
    sk = version_of(versions.get("scikit-learn", ""))
    trees = any(m in ("sklearn.tree._tree", "sklearn.tree.tree") for m in modules)
    if sk and trees and sk < (1, 3):
        yield ("trees: their nodes have one field more since scikit-learn 1.3 (missing values), so that unpickling "
               "ends in 'node array from the pickle has an incompatible dtype'")
    if sk and sk < (1, 2) and any("_hist_gradient_boosting" in m for m in modules):
        yield "histogram gradient boosting: its nodes and losses changed in scikit-learn 1.1 to 1.4"
    if any("_loss" in m or "losses" in m for m in modules) and sk and sk < (1, 4):
        yield "loss functions inside of the file: moved and renamed in scikit-learn 1.1 to 1.4"
    if sk:
        yield (f"scikit-learn promises nothing for a pickle of another version than {versions['scikit-learn']}: what "
               "does open may answer otherwise (InconsistentVersionWarning)")
    if any(m.startswith("numpy._core") for m in modules):
        yield "numpy._core: the file needs numpy 2"
    own = sorted({m.partition(".")[0] for m in modules} - _KNOWN)
    if own:
        yield f"code that is not in the file: {', '.join(printable(m, 60) for m in own[:5])} must be at hand"


_KNOWN = frozenset("sklearn numpy scipy joblib pandas xgboost lightgbm catboost builtins __builtin__ copyreg copy_reg "
                   "collections _codecs functools itertools datetime re types random operator".split())


def _xgboost(path: Path, limits: Limits) -> tuple[str, list[str]]:
    from .formats.xgboost.legacy import looks_like
    from .formats.xgboost.model import parse
    data = path.read_bytes()
    version = ".".join(map(str, parse(data, limits).version))
    stated = f"XGBoost {version}" if version != "0.0" else "XGBoost 0.x"
    if looks_like(data[:4096]):
        return f"the old binary format, by {stated}", [
            "XGBoost 3.1 took this format away; 1.7 to 3.0 still convert it"]
    suffix = path.suffix.lower()
    obstacles = []
    if suffix not in (".json", ".ubj") and data[:1] == b"{":
        obstacles.append(f"the suffix {printable(suffix) or '(none)'}: XGBoost 2.1 and newer guess the format by it")
    return f"by {stated}", obstacles


def _keras(path: Path, limits: Limits) -> tuple[str, list[str]]:
    raw = registry.named("keras").load().read(path, limits)
    version = raw.meta.get("keras:version", "1")
    v = version_of(version)
    obstacles = []
    if v < (2,):
        obstacles.append("Keras 1: its layers and their settings were renamed in Keras 2; tf_keras opens some of them")
    elif v < (3,) and path.suffix.lower() in (".h5", ".hdf5"):
        obstacles.append("Keras 3 refuses what it no longer knows in files of Keras 2: DepthwiseConv2D with 'groups', "
                         "LSTM with 'time_major', 'batch_input_shape', and layers that are gone")
    return f"by Keras {version}", obstacles
