"""Bytes to structures and back: containers, budgets, paths and atomic writing."""
