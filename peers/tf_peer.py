"""TensorFlow with Keras: tf_peer.py NET.json INPUT.npy THREADS MODE, MODE one of function, xla (see saved.py). Images are
channels-last, the only layout that its CPU convolution has."""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy
import tensorflow
from keras import layers

import saved


def padded(node):
    p = node.pair("pad")
    if p == (0, 0):
        return lambda x: x
    return layers.ZeroPadding2D(((p[0], p[0]), (p[1], p[1])))


def set_weights(layer, node, net):
    layer.set_weights([net.channels_last(node)] + ([net.weights[node.bias]] if node.bias is not None else []))


def conv2d(node, net):
    k, c, r, s = net.shapes[node.inputs[1]]
    groups = int(node.attributes["groups"])
    layer = layers.Conv2D(k, (r, s), node.pair("stride"), "valid", dilation_rate=node.pair("dilation"), groups=groups,
                          use_bias=node.bias is not None)
    layer.build((None, None, None, c * groups))
    set_weights(layer, node, net)
    pad = padded(node)
    return lambda x: layer(pad(x))


def dense(node, net):
    out, inner = net.shapes[node.inputs[1]]
    layer = layers.Dense(out, use_bias=node.bias is not None)
    layer.build((None, inner))
    set_weights(layer, node, net)
    return layer


def batch_norm(node, net):
    layer = layers.BatchNormalization(momentum=1 - node.number("momentum", 0.1), epsilon=node.number("epsilon"))
    layer.build((None, None, None, net.shapes[node.inputs[1]][0]))
    layer.set_weights([net.weights[i] for i in node.inputs[1:5]])
    return layer


def max_pool2d(node, net):
    p = node.pair("pad")
    pool = layers.MaxPooling2D(node.pair("kernel"), node.pair("stride"), "valid")
    if p == (0, 0):
        return pool
    edge = [[0, 0], [p[0]] * 2, [p[1]] * 2, [0, 0]]
    return lambda x: pool(keras.ops.pad(x, edge, constant_values=-numpy.inf))


OPERATORS = {
    "conv2d": conv2d,
    "dense": dense,
    "batch_norm": batch_norm,
    "batch_norm_inference": batch_norm,
    "relu": lambda node, net: layers.ReLU(),
    "tanh": lambda node, net: layers.Activation("tanh"),
    "max_pool2d": max_pool2d,
    "avg_pool2d": lambda node, net: layers.AveragePooling2D(node.pair("kernel"), node.pair("stride"), "valid"),
    "dropout": lambda node, net: layers.Dropout(node.number("rate")),
    "flatten": lambda node, net: layers.Flatten(),
    "concat": lambda node, net: lambda *parts: layers.Concatenate(-1 if len(parts[0].shape) == 4 else int(node.attributes["axis"]))(list(parts)),
    "add": lambda node, net: lambda a, b: layers.Add()([a, b]),
}


def main():
    path, data, threads, mode = sys.argv[1:5]
    tensorflow.config.threading.set_intra_op_parallelism_threads(int(threads))
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    net = saved.Net(path)
    x = numpy.load(data)
    x = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, saved.walk(net.layers(OPERATORS), inputs, net.input, net.result))
    x, wanted = tensorflow.constant(x), tensorflow.constant(saved.labels(net, len(x)))

    @tensorflow.function(jit_compile=mode == "xla")
    def gradients():
        with tensorflow.GradientTape() as tape:
            y = model(x, training=True)
            if net.loss == "softmax_ce":
                y = keras.losses.sparse_categorical_crossentropy(wanted, y, from_logits=True)
                y = tensorflow.reduce_mean(y)
            elif net.loss == "l2":
                y = 0.5 * tensorflow.reduce_mean(y * y)
        return tape.gradient(y, model.trainable_variables)

    saved.serve(f"TensorFlow {tensorflow.__version__} {mode}", lambda: model(x, training=False).numpy(),
                lambda: [g.numpy() for g in gradients()[-1:]])


main()
