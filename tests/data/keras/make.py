"""Makes the models of this folder and the answers TensorFlow gives (tensorflow-cpu 2.21.0, keras 3.15.1).

Random weights; nothing here was trained on anything. Run in this folder: python make.py
"""

import keras
import numpy as np
from keras import Input, Model, Sequential
from keras import layers as L

RANDOM = np.random.default_rng(1)


def save(model, name):
    for weight in model.weights:
        values = RANDOM.normal(size=weight.shape) * 0.3
        if "variance" in weight.path:
            values = np.abs(values) + 0.5
        if "gamma" in weight.path:
            values = values + 1
        weight.assign(values.astype("f"))
    x = RANDOM.random((4, *model.input_shape[1:])).astype("f")
    np.savez(f"{name}.npz", x=x, y=np.asarray(model(x, training=False)))
    model.save(f"{name}.h5")


def many_layers():
    i = Input((17, 19, 3))
    x = L.Rescaling(1 / 0.5, offset=-1)(i)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.ZeroPadding2D(((1, 2), (0, 1)))(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2)(x)
    x = L.BatchNormalization(scale=False)(x)
    x = L.PReLU(shared_axes=[1, 2])(x)
    y = L.SeparableConv2D(12, 3, padding="same", activation="swish")(x)
    z = L.Conv2D(12, (1, 3), padding="same", dilation_rate=(1, 2), groups=4, use_bias=False)(x)
    x = L.LeakyReLU(0.15)(L.Add()([y, z]))
    a = L.AveragePooling2D(3, strides=2, padding="same")(x)
    b = L.MaxPooling2D(3, strides=2, padding="same")(x)
    x = L.ELU(0.7)(L.Concatenate()([a, b]))
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Dense(24, activation="hard_sigmoid")(gate)
    x = L.Multiply()([x, gate])
    x = x * 1.5 + 0.25
    x = L.UpSampling2D((2, 3))(x)
    x = L.UpSampling2D(2, interpolation="bilinear")(x)
    x = L.Cropping2D(((0, 1), (2, 0)))(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.ReLU(max_value=1.5, negative_slope=0.1)(x)
    x = L.Conv2D(6, 3, activation="gelu")(x)
    x = L.LayerNormalization()(x)
    x = L.Dropout(0.5)(L.Flatten()(x))
    x = L.Dense(12, activation="selu")(x)
    x = L.Activation("mish")(L.Reshape((2, 3, 2))(x))
    x = L.Flatten()(L.PReLU()(x))
    x = L.BatchNormalization(center=False)(x)
    p = L.Dense(5, activation="tanh")(x)
    q = L.Dense(5, activation="softplus")(x)
    r = L.Dense(5, activation="hard_silu")(x)
    x = L.Maximum()([L.Average()([p, q, r]), p])
    x = L.Minimum()([L.Subtract()([x, q]), r])
    return Model(i, L.Softmax()(L.Dense(5)(x)))


def nested():
    """A model used twice inside another, and a layer used twice."""
    base = Sequential(
        [
            Input((None, None, 3)),
            L.Conv2D(6, 3, activation="relu"),
            L.BatchNormalization(),
            L.Conv2D(6, 3, strides=2),
        ],
        name="base",
    )
    i = Input((20, 20, 3))
    x = L.Add()([base(i), base(L.Activation("sigmoid")(i))])
    shared = L.Conv2D(6, 1, name="shared")
    x = L.GlobalMaxPooling2D()(shared(shared(x)))
    return Model(i, L.Dense(4, activation="softmax")(x))


def gray():
    return Sequential([Input((28, 28)), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(10, activation="softmax")])


for make in (many_layers, nested, gray):
    keras.utils.clear_session()
    save(make(), make.__name__)
