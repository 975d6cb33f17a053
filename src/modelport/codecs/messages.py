"""Protobuf messages of a format, from descriptors as data, in a pool of their own.

A private pool means that importing TensorFlow or coremltools in the same process, with other versions of the same
descriptors, neither fails nor changes what is read."""
from __future__ import annotations

from collections.abc import Callable

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from ..errors import CorruptFile


def pool(descriptors: bytes) -> Callable[[str], type[Message]]:
    """The classes of a serialized ``FileDescriptorSet``, by full name: ``pool(data)("onnx.ModelProto")``."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    private = descriptor_pool.DescriptorPool()
    for f in files.file:
        private.AddSerializedFile(f.SerializeToString())

    def message(name: str) -> type[Message]:
        return message_factory.GetMessageClass(private.FindMessageTypeByName(name))
    return message


def parse(message: type[Message], data: bytes | memoryview, path: object = None) -> Message:
    """The message in ``data``, or :class:`CorruptFile`."""
    try:
        return message.FromString(bytes(data))
    except DecodeError as e:
        raise CorruptFile(f"no {message.DESCRIPTOR.full_name}: {str(e) or 'malformed'}", path=path) from None
