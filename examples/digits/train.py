"""Trains the example: a small convolutional classifier of scikit-learn's handwritten digits.

Needs tensorflow and scikit-learn (made with 2.21 and 1.9): ``python train.py`` writes, beside this file,

* ``digits.keras``       the trained model
* ``digits.tflite``      the same in float32, batch dynamic
* ``digits_int8.tflite`` the same in 8-bit integers
* ``samples.npz``        64 test images (input ``image``, 8 x 8 pixels from 0 to 16) and their labels
"""
from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent


def main() -> None:
    keras.utils.set_random_seed(0)
    data = load_digits()
    images = data.images[..., None].astype(np.float32)
    x, x_test, y, y_test = train_test_split(images, data.target, test_size=0.2, random_state=0, stratify=data.target)
    model = keras.Sequential([
        keras.Input((8, 8, 1), name="image"),
        keras.layers.Rescaling(1 / 16, name="scale"),
        keras.layers.Conv2D(12, 3, padding="same", use_bias=False, name="conv1"),
        keras.layers.BatchNormalization(name="norm1"),
        keras.layers.ReLU(name="relu1"),
        keras.layers.MaxPooling2D(name="pool"),
        keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        keras.layers.Conv2D(24, 1, activation="relu", name="pointwise"),
        keras.layers.GlobalAveragePooling2D(name="average"),
        keras.layers.Dense(10, activation="softmax", name="digit"),
    ], name="digits")
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=60, batch_size=32, verbose=0)
    print(f"test accuracy {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")

    model.save(HERE / "digits.keras")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (HERE / "digits.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[i:i + 1]] for i in range(200))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (HERE / "digits_int8.tflite").write_bytes(converter.convert())
    np.savez_compressed(HERE / "samples.npz", image=x_test[:64], label=y_test[:64])


if __name__ == "__main__":
    main()
