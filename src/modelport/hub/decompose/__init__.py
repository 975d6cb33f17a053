"""Operators said with simpler operators: contributed ones on reading, what a target lacks before writing."""
