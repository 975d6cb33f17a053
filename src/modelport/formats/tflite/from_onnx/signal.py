"""Fourier transforms of real signals.  Source: tensorflow/lite/kernels: rfft2d.cc, complex_support.cc."""
from __future__ import annotations

from typing import Any

from ....ir.graph import Value
from ....ir.rules import Builder
from .common import from_onnx, ints

RFFT = "tflite.Rfft"
"""The transform along the last axis of real numbers whose last axis but one is 1 (see ``..decompose.fourier``)."""
ABS, REAL, IMAG = "tflite.ComplexAbs", "tflite.Real", "tflite.Imag"
"""What is read of complex numbers, which no other operator of the hub takes."""


@from_onnx(RFFT)
def rfft(tfl: Builder, x: Value, *, length: int) -> Any:
    return tfl.RFFT2D(x, ints([1, length]), type=tfl.out)


@from_onnx(ABS)
def complex_abs(tfl: Builder, z: Value) -> Any:
    return tfl.COMPLEX_ABS(z, type=tfl.out)


@from_onnx(REAL)
def real(tfl: Builder, z: Value) -> Any:
    return tfl.REAL(z, type=tfl.out)


@from_onnx(IMAG)
def imag(tfl: Builder, z: Value) -> Any:
    return tfl.IMAG(z, type=tfl.out)
