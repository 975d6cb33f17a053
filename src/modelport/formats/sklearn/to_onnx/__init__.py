"""The rules, a file for each family; importing them fills the tables of :mod:`..methods`."""
from . import (
    bayes,
    boosting,
    cluster,
    compose,
    encode,
    gaussian,
    impute,
    libraries,
    linear,
    neighbors,
    preprocess,
    projection,
    svm,
    trees,
)

__all__ = [
    "bayes",
    "boosting",
    "cluster",
    "compose",
    "encode",
    "gaussian",
    "impute",
    "libraries",
    "linear",
    "neighbors",
    "preprocess",
    "projection",
    "svm",
    "trees",
]
