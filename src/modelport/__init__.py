"""modelport: a trained model from any common format into any other, proven correct."""
