"""The hub: models as graphs of ONNX operators of one pinned opset, and what can be known of them."""
