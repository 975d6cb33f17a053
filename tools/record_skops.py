"""Records small .skops files with what their estimators answer: ``python tools/record_skops.py OUTPUT.tar.xz``.

Needs scikit-learn and skops (recorded with 1.9.1 and 0.16.0); nothing of modelport is imported."""
from __future__ import annotations

import io
import sys
import tarfile
import warnings

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from skops import io as skops

warnings.simplefilter("ignore")
RNG = np.random.RandomState(0)
X = np.round(RNG.normal(size=(60, 4)), 2)
Y = np.digitize(X.dot([1, -1, 0.5, 0.2]), [-0.7, 0.7])
NAMED = np.array(["ant", "bee", "cat"])[Y]
GRID = RNG.randint(0, 4, (60, 2)).astype(float)
MODELS = {
    "pipeline": (make_pipeline(StandardScaler(), LogisticRegression()), X, NAMED, "predict predict_proba"),
    "forest": (RandomForestClassifier(3, max_depth=3, random_state=0), X, NAMED, "predict predict_proba"),
    "histogram": (HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4), X, Y, "predict predict_proba"),
    "columns": (make_pipeline(ColumnTransformer([("a", OneHotEncoder(), [0]), ("b", "passthrough", [1])]), Ridge()),
                GRID, Y, "predict"),
    "function": (make_pipeline(FunctionTransformer(np.exp), Ridge()), X, Y, "predict"),
    "vectors": (SVC(), X, Y, "predict decision_function"),
    "neighbors": (KNeighborsClassifier(3, algorithm="brute"), X, Y, "predict predict_proba"),
}

with tarfile.open(sys.argv[1], "w:xz", preset=9) as tar:
    for name, (model, x, y, methods) in MODELS.items():
        model.fit(x, y)
        buffer = io.BytesIO()
        np.savez(buffer, x=x, **{m: np.asarray(getattr(model, m)(x)) for m in methods.split()})
        for suffix, data in ((".skops", skops.dumps(model)), (".npz", buffer.getvalue())):
            info = tarfile.TarInfo(name + suffix)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
