"""Tiny ONNX and Keras files made in code. A library that is absent skips the test that asks for it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIDE = 32


def onnx() -> Any:
    pytest.importorskip("onnx2torch", reason="onnx2torch is an optional library")
    return pytest.importorskip("onnx", reason="onnx comes with onnx2torch")


def keras() -> Any:
    pytest.importorskip("h5py", reason="Keras is an optional library")
    os.environ["KERAS_BACKEND"] = "torch"
    return pytest.importorskip("keras", reason="Keras is an optional library")


def onnx_model(change: Callable[[Any], None] = lambda model: None, channels: int = 3, batch: Any = "n") -> Any:
    """Two blocks of convolution with a skip, global average, a classifier of five outputs; batch norm and all."""
    o = onnx()
    rng = np.random.default_rng(0)
    helper, numpy = o.helper, o.numpy_helper

    def weight(name: str, *shape: int, scale: float = 0.2) -> Any:
        return numpy.from_array((scale * rng.standard_normal(shape)).astype(np.float32), name)

    def conv(given: str, made: str, w: str) -> Any:
        return helper.make_node("Conv", [given, w], [made], pads=[1, 1, 1, 1], kernel_shape=[3, 3])

    graph = helper.make_graph(
        [
            conv("x", "a", "w1"),
            helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "var"], ["b"]),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
            conv("d", "e", "w2"),
            helper.make_node("Relu", ["e"], ["f"]),
            conv("f", "g", "w3"),
            helper.make_node("Add", ["d", "g"], ["h"]),
            helper.make_node("Relu", ["h"], ["i"]),
            helper.make_node("GlobalAveragePool", ["i"], ["j"]),
            helper.make_node("Flatten", ["j"], ["k"]),
            helper.make_node("MatMul", ["k", "w4"], ["l"]),
            helper.make_node("Add", ["l", "bias"], ["m"]),
            helper.make_node("Softmax", ["m"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", o.TensorProto.FLOAT, [batch, channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", o.TensorProto.FLOAT, [batch, 5])],
        [
            weight("w1", 16, channels, 3, 3), weight("w2", 16, 16, 3, 3), weight("w3", 16, 16, 3, 3),
            weight("w4", 16, 5), weight("bias", 5), weight("scale", 16, scale=1), weight("shift", 16),
            weight("mean", 16), numpy.from_array(np.ones(16, np.float32), "var"),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    change(model)
    return model


def write_onnx(path: Path, change: Callable[[Any], None] = lambda model: None, **more: Any) -> Path:
    path.write_bytes(onnx_model(change, **more).SerializeToString())
    return path


def keras_model(nested: bool = False, **changes: Any) -> Any:
    """Convolution, batch norm, a skip, dropout, global average, a classifier of five; 0 to 255 by its own Rescaling."""
    k = keras()
    layers = k.layers
    x = given = k.Input((SIDE, SIDE, changes.get("channels", 3)))
    if changes.get("rescales", True):
        x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = skip = layers.ReLU()(layers.MaxPooling2D()(x))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Add()([skip, x])
    if extra := changes.get("extra"):
        x = extra(x)
    x = layers.GlobalAveragePooling2D()(x)
    if nested:
        base = k.Model(given, x)
        return k.Sequential([
            k.Input((SIDE, SIDE, 3)),
            layers.RandomFlip("horizontal"),
            base,
            layers.Dropout(0.5),
            layers.Dense(5, "softmax"),
        ])
    return k.Model(given, layers.Dense(5, activation="softmax")(layers.Dropout(0.5)(x)), **changes.get("named", {}))


def write_keras(path: Path, **changes: Any) -> Path:
    keras().utils.set_random_seed(0)
    keras_model(**changes).save(path)
    return path
