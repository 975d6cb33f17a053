"""Models that keep the rows they were fitted on."""
from __future__ import annotations

import numpy as np

from . import DATA, Family

FAMILY = Family("neighbors")
add = FAMILY.add
DATA["places"] = lambda: (np.random.default_rng(6).uniform((-1.5, -3.1), (1.5, 3.1), (60, 2)), np.arange(60) % 3)
METRICS = {"manhattan": "metric='manhattan'", "chebyshev": "metric='chebyshev'", "p3": "p=3", "p1.5": "p=1.5",
           "cosine": "metric='cosine'", "weighted": "p=3, metric_params={'w': np.array([1., 2., 0.5, 3.])}",
           "canberra": "metric='canberra'", "sqeuclidean": "metric='sqeuclidean'",
           "seuclidean": "metric='seuclidean', metric_params={'V': np.array([1., 2., 0.5, 3.])}, algorithm='brute'",
           "mahalanobis": "metric='mahalanobis', metric_params={'VI': np.diag([1., 2., 0.5, 3.]) + 0.1}, algorithm='brute'",
           "haversine": "metric='haversine'"}
for name in ("KNeighbors", "RadiusNeighbors"):
    outlier = ", outlier_label='most_frequent'" if name == "RadiusNeighbors" else ""
    for weights in ("uniform", "distance"):
        for data in ("classes", "two", "named", "five"):
            add(f"{name}Classifier/{weights}/{data}", f"{name}Classifier(weights='{weights}'{outlier})", data)
        for data in ("numbers", "two numbers"):
            add(f"{name}Regressor/{weights}/{data}", f"{name}Regressor(weights='{weights}')", data)
    for metric, setting in METRICS.items():
        if metric != "haversine":
            radius = "radius=1.2, " if name == "RadiusNeighbors" else ""
            add(f"{name}Regressor/{metric}", f"{name}Regressor({radius}weights='distance', {setting})", "numbers")
    for algorithm in ("brute", "kd_tree", "ball_tree"):
        add(f"{name}Classifier/{algorithm}", f"{name}Classifier(algorithm='{algorithm}'{outlier})", "classes")
add("KNeighborsClassifier/one", "KNeighborsClassifier(1)", "five")
for weights in ("uniform", "distance"):
    add(f"KNeighborsClassifier/haversine/{weights}", f"KNeighborsClassifier(weights='{weights}', metric='haversine')", "places")
add("KNeighborsRegressor/haversine", "KNeighborsRegressor(weights='distance', metric='haversine', algorithm='ball_tree')", "places")
add("KNeighborsTransformer/haversine", "KNeighborsTransformer(n_neighbors=4, metric='haversine')", "places")
add("RadiusNeighborsRegressor/haversine", "RadiusNeighborsRegressor(1.5, weights='distance', metric='haversine')", "places", near=True)
add("KNeighborsClassifier/callable", "KNeighborsClassifier(weights=np.negative)", "classes")
add("KNeighborsClassifier/labels", "KNeighborsClassifier()", "labels")
add("KNeighborsClassifier/each", "KNeighborsClassifier(weights='distance')", "two labels",
    methods=("predict", "predict_proba"))
add("KNeighborsClassifier/wide", "KNeighborsClassifier(9)", "wide")
add("KNeighborsClassifier/sparse", "KNeighborsClassifier()", "sparse five")
add("KNeighborsClassifier/float32", "KNeighborsClassifier()", "five", inputs=("float32",))
add("RadiusNeighborsClassifier/other", "RadiusNeighborsClassifier(outlier_label=-1)", "classes")
add("RadiusNeighborsClassifier/error", "RadiusNeighborsClassifier(radius=50)", "classes")
add("RadiusNeighborsClassifier/grid", "RadiusNeighborsClassifier(radius=1, outlier_label=0)", "grid")
for metric in ("euclidean", "manhattan"):
    add(f"NearestCentroid/{metric}", f"NearestCentroid(metric='{metric}')", "five")
add("NearestCentroid/scores", "NearestCentroid()", "five", methods=("predict", "predict_proba", "decision_function"))
add("NearestCentroid/two", "NearestCentroid()", "two", methods=("predict", "predict_proba", "decision_function"))
add("NearestCentroid/priors", "NearestCentroid(priors='empirical', shrink_threshold=0.1)", "five")
add("NearestCentroid/given", "NearestCentroid(priors=[0.5, 0.3, 0.2])", "named")
ALL = ("predict", "decision_function", "score_samples")
add("LocalOutlierFactor", "LocalOutlierFactor(novelty=True)", methods=ALL)
add("LocalOutlierFactor/few", "LocalOutlierFactor(n_neighbors=4, novelty=True, contamination=0.2, p=1)", methods=ALL)
# far from all rows what scikit-learn returns of a density is noise: only near ones are asked about
for kernel in ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"):
    add(f"KernelDensity/{kernel}", f"KernelDensity(kernel='{kernel}')", methods=("score_samples",), near=True)
add("KernelDensity/cosine/one", "KernelDensity(kernel='cosine')", "one", methods=("score_samples",), near=True)
add("KNeighborsClassifier/braycurtis", "KNeighborsClassifier(metric='braycurtis')")
add("KNeighborsRegressor/braycurtis", "KNeighborsRegressor(weights='distance', metric='braycurtis', algorithm='brute')", "numbers")
add("KNeighborsClassifier/yule", "KNeighborsClassifier(metric='yule')")
add("KernelDensity/ball", "KernelDensity(algorithm='ball_tree', bandwidth=0.3)", methods=("score_samples",), near=True)
add("KernelDensity/manhattan", "KernelDensity(bandwidth='scott', metric='manhattan')", methods=("score_samples",), near=True)
add("NeighborhoodComponentsAnalysis", "NeighborhoodComponentsAnalysis(2, random_state=0)")
for mode in ("distance", "connectivity"):
    add(f"KNeighborsTransformer/{mode}", f"KNeighborsTransformer(mode='{mode}', n_neighbors=4)", "small")
    add(f"RadiusNeighborsTransformer/{mode}", f"RadiusNeighborsTransformer(mode='{mode}')", "small")
DATA["flags"] = lambda: ((np.random.default_rng(8).random((60, 23)) < 0.4).astype(float), np.arange(60) % 3)
for metric in ("jaccard", "dice", "rogerstanimoto", "russellrao", "sokalmichener", "sokalsneath", "yule", "correlation"):
    how = "brute" if metric in ("yule", "correlation") else "ball_tree"
    add(f"RadiusNeighborsTransformer/{metric}", f"RadiusNeighborsTransformer(radius=5, metric='{metric}', algorithm='{how}')",
        "flags", near=True)
for metric in ("jaccard", "dice", "sokalsneath"):
    add(f"KNeighborsClassifier/{metric}", f"KNeighborsClassifier(1, metric='{metric}', p=None)", "flags", near=True)
add("KNeighborsRegressor/p", "KNeighborsRegressor(metric='p', p=3)", "numbers")
add("KNeighborsRegressor/p3 by name", "KNeighborsRegressor(metric='p', metric_params={'p': 3})", "numbers")
add("NearestCentroid/manhattan/named", "NearestCentroid(metric='manhattan')", "named")
DATA["distances"] = lambda: (np.abs(np.subtract.outer(*2 * (np.random.default_rng(9).normal(size=40),))), np.arange(40) % 3)
add("KNeighborsClassifier/precomputed", "KNeighborsClassifier(1, metric='precomputed')", "distances", near=True)
add("RadiusNeighborsRegressor/precomputed", "RadiusNeighborsRegressor(0.5, metric='precomputed')", "distances", near=True)
