"""The rules, a file for each family; importing them fills the tables of :mod:`..methods`."""
from . import boosting, compose, linear, preprocess, trees

__all__ = ["boosting", "compose", "linear", "preprocess", "trees"]
