"""Clusters, and labels that spread."""
from __future__ import annotations

from . import Family

FAMILY = Family("cluster")
add = FAMILY.add
BOTH = ("predict", "transform")
CANCELS = 1e-8
"""scikit-learn takes distances from squares that cancel: one that is zero comes out as up to the root of 1e-16."""
for name in ("KMeans", "MiniBatchKMeans", "BisectingKMeans"):
    for data in ("classes", "wide", "grid", "offset"):
        add(f"{name}/{data}", f"{name}(5, random_state=0, n_init=1)", data, methods=("predict",))
    add(f"{name}/one", f"{name}(1, random_state=0)", methods=("predict",))
    add(f"{name}/transform", f"{name}(4, random_state=0)", methods=("transform",))
add("BisectingKMeans/largest", "BisectingKMeans(7, bisecting_strategy='largest_cluster', random_state=0)")
add("MeanShift", "MeanShift()")
add("MeanShift/narrow", "MeanShift(bandwidth=0.9, cluster_all=False)")
add("AffinityPropagation", "AffinityPropagation(random_state=0)")
add("Birch", "Birch(n_clusters=3)")
add("Birch/none", "Birch(n_clusters=None)")
add("Birch/transform", "Birch(threshold=0.8)", methods=("transform",))
for how in ("mean", "max", "min", "sum", "median", "prod"):
    add(f"FeatureAgglomeration/{how}", f"FeatureAgglomeration(3, pooling_func=np.{how})", "wide")
for name in ("LabelPropagation", "LabelSpreading"):
    add(name, f"{name}(gamma=0.5)")
    add(f"{name}/far", f"{name}()")
    add(f"{name}/knn", f"{name}(kernel='knn', n_neighbors=5)", "named")
