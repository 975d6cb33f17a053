"""Messages from descriptors as data, apart from the process's own pool."""
from __future__ import annotations

import onnx
import pytest
from google.protobuf import descriptor_pb2

from modelport.codecs.messages import parse, pool
from modelport.errors import CorruptFile


def descriptors() -> bytes:
    files = descriptor_pb2.FileDescriptorSet()
    onnx.ModelProto.DESCRIPTOR.file.CopyToProto(files.file.add())
    return files.SerializeToString()


def test_the_same_bytes_through_a_class_of_its_own() -> None:
    message = pool(descriptors())
    model = onnx.ModelProto(ir_version=9, producer_name="x")
    model.graph.node.add(op_type="Relu", input=["a"], output=["b"])
    model_class = message("onnx.ModelProto")
    assert model_class is not onnx.ModelProto
    read = parse(model_class, model.SerializeToString())
    assert read.SerializeToString() == model.SerializeToString()
    with pytest.raises(KeyError):
        message("onnx.Nothing")


def test_what_is_no_message_is_corrupt() -> None:
    with pytest.raises(CorruptFile, match=r"model.bin: no onnx.ModelProto"):
        parse(pool(descriptors())("onnx.ModelProto"), b"\xff" * 20, "model.bin")
