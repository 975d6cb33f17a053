"""The rules, a file for each family; importing them fills the tables of :mod:`..methods`."""
from . import compose, linear, preprocess, trees

__all__ = ["compose", "linear", "preprocess", "trees"]
