"""JAX: jax_peer.py NET.json INPUT.npy THREADS MODE, MODE jit (see saved.py). Images are channels-last, which XLA's CPU
convolution is made for; weights are turned once, before anything is timed. JAX has no setting for its threads: beside.py
pins the process to as many processors."""
import math
import sys

import jax
import numpy
from jax import lax
from jax import numpy as jnp

import saved

KEY = -1  # among the weights: the random key


def window(node, net):
    k, s, p = node.pair("kernel"), node.pair("stride"), node.pair("pad")
    return dict(window_dimensions=(1, *k, 1), window_strides=(1, *s, 1), padding=[(0, 0), (p[0],) * 2, (p[1],) * 2, (0, 0)])


def conv2d(node, net):
    p = node.pair("pad")
    w, b = node.inputs[1], node.bias
    net.weights[w] = net.channels_last(node)

    def run(weights, state, x):
        y = lax.conv_general_dilated(x, weights[w], node.pair("stride"), [(p[0],) * 2, (p[1],) * 2],
                                     rhs_dilation=node.pair("dilation"), feature_group_count=int(node.attributes["groups"]),
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y if b is None else y + weights[b]

    return run


def dense(node, net):
    w, b = node.inputs[1], node.bias
    net.weights[w] = net.channels_last(node)
    return lambda weights, state, x: x @ weights[w] if b is None else x @ weights[w] + weights[b]


def batch_norm(node, net):
    scale, shift, mean, variance = node.inputs[1:5]
    training, epsilon = node.op == "batch_norm", node.number("epsilon")

    def run(weights, state, x):
        if not training:
            m, v = weights[mean], weights[variance]
        else:
            m, v = x.mean((0, 1, 2)), x.var((0, 1, 2))
            state.append((m, v))  # what the running statistics move towards
        return (x - m) * (lax.rsqrt(v + epsilon) * weights[scale]) + weights[shift]

    return run


def max_pool2d(node, net):
    return lambda weights, state, x: lax.reduce_window(x, -jnp.inf, lax.max, **window(node, net))


def avg_pool2d(node, net):
    size = math.prod(node.pair("kernel"))
    return lambda weights, state, x: lax.reduce_window(x, 0.0, lax.add, **window(node, net)) / size


def dropout(node, net):
    keep, call = 1 - node.number("rate"), node.outputs[0]

    def run(weights, state, x):
        return jnp.where(jax.random.bernoulli(jax.random.fold_in(weights[KEY], call), keep, x.shape), x / keep, 0)

    return run


OPERATORS = {
    "conv2d": conv2d,
    "dense": dense,
    "batch_norm": batch_norm,
    "batch_norm_inference": batch_norm,
    "relu": lambda node, net: lambda weights, state, x: jax.nn.relu(x),
    "tanh": lambda node, net: lambda weights, state, x: jnp.tanh(x),
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "dropout": dropout,
    "flatten": lambda node, net: lambda weights, state, x: x.reshape(x.shape[0], -1),
    "concat": lambda node, net: lambda weights, state, *parts: jnp.concatenate(parts, -1 if parts[0].ndim == 4 else int(node.attributes["axis"])),
    "add": lambda node, net: lambda weights, state, a, b: a + b,
}


def forward_of(net):
    layers = net.layers(OPERATORS)

    def forward(weights, x):
        state = []
        bound = [(lambda *v, layer=layer: layer(weights, state, *v), reads, makes) for layer, reads, makes in layers]
        return saved.walk(bound, x, net.input, net.result), state

    return forward, {i: jnp.asarray(w) for i, w in net.weights.items()}


def main():
    path, data = sys.argv[1:3]
    net = saved.Net(path)
    forward, weights = forward_of(net)
    wanted = jnp.asarray(saved.labels(net, len(numpy.load(data))))
    x = numpy.load(data)
    x = jnp.asarray(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x)

    def loss(trained, fixed, x):
        y, state = forward({**trained, **fixed}, x)
        if net.loss == "softmax_ce":
            value = -jnp.take_along_axis(jax.nn.log_softmax(y), wanted[:, None], 1).mean()
        else:
            value = 0.5 * (y * y).mean() if net.loss == "l2" else y.sum()
        return value, state

    trained = {i: w for i, w in weights.items() if i in net.trained}
    fixed = {i: w for i, w in weights.items() if i not in net.trained}
    fixed[KEY] = jax.random.PRNGKey(1)
    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def outputs():
        infer, stored = forward_of(saved.Net(path, "inference"))
        return numpy.asarray(jax.jit(lambda w, x: infer(w, x)[0])(stored, x))

    saved.serve(f"JAX {jax.__version__} jit", outputs, lambda: jax.block_until_ready(gradient(trained, fixed, x)))


main()
