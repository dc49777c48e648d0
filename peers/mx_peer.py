"""MXNet 1.9.1: mx_peer.py NET.json INPUT.npy THREADS MODE, MODE one of block, static, symbol (see saved.py). The number
of threads is read from OMP_NUM_THREADS, which beside.py sets."""
import sys

import mxnet
import numpy
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

import saved


def conv2d(node, net):
    k, c, r, s = net.shapes[node.inputs[1]]
    groups = int(node.attributes["groups"])
    return nn.Conv2D(k, (r, s), node.pair("stride"), node.pair("pad"), node.pair("dilation"), groups,
                     use_bias=node.bias is not None, in_channels=c * groups)


def dense(node, net):
    out, inner = net.shapes[node.inputs[1]]
    return nn.Dense(out, use_bias=node.bias is not None, flatten=False, in_units=inner)


def batch_norm(node, net):
    return nn.BatchNorm(momentum=1 - node.number("momentum", 0.1), epsilon=node.number("epsilon"),
                        in_channels=net.shapes[node.inputs[1]][0])


class Concat(nn.HybridBlock):
    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def hybrid_forward(self, F, *parts):
        return F.concat(*parts, dim=self.axis)


class Add(nn.HybridBlock):
    def hybrid_forward(self, F, a, b):
        return a + b


OPERATORS = {
    "conv2d": conv2d,
    "dense": dense,
    "batch_norm": batch_norm,
    "batch_norm_inference": batch_norm,
    "relu": lambda node, net: nn.Activation("relu"),
    "tanh": lambda node, net: nn.Activation("tanh"),
    "max_pool2d": lambda node, net: nn.MaxPool2D(node.pair("kernel"), node.pair("stride"), node.pair("pad")),
    "avg_pool2d": lambda node, net: nn.AvgPool2D(node.pair("kernel"), node.pair("stride"), node.pair("pad")),
    "dropout": lambda node, net: nn.Dropout(node.number("rate")),
    "flatten": lambda node, net: nn.Flatten(),
    "concat": lambda node, net: Concat(int(node.attributes["axis"])),
    "add": lambda node, net: Add(),
}


class Block(nn.HybridBlock):
    def __init__(self, net):
        super().__init__()
        self.layers = net.layers(OPERATORS)
        self.first, self.result = net.input, net.result
        for layer, _, _ in self.layers:
            self.register_child(layer)

    def hybrid_forward(self, F, x):
        return saved.walk(self.layers, x, self.first, self.result)


def set_weights(block, net):
    block.initialize()
    computing = [node for node in net.nodes if node.op != "increment"]
    for (layer, _, _), node in zip(block.layers, computing):
        for name, number in zip(("gamma" if hasattr(layer, "gamma") else "weight", "beta" if hasattr(layer, "beta") else "bias"),
                                node.inputs[1:]):
            if number is not None and hasattr(layer, name):
                getattr(layer, name).set_data(nd.array(net.weights[number]))


def bound_step(block, x, loss):
    """The symbol executor: the net with its loss bound as Module binds it."""
    block.hybridize()
    block(x)
    symbol = loss(block(mxnet.sym.var("data")), mxnet.sym)
    values = {name: p.data() for name, p in block.collect_params().items()}
    bound = symbol.simple_bind(ctx=mxnet.cpu(), data=x.shape,
                               grad_req={n: "null" if n not in values else "write" for n in symbol.list_arguments()})
    for name, array in list(bound.arg_dict.items()) + list(bound.aux_dict.items()):
        if name in values:
            array[:] = values[name]
    bound.arg_dict["data"][:] = x
    head = nd.ones(bound.outputs[0].shape)

    def step():
        bound.forward(is_train=True)
        bound.backward([head])
        nd.waitall()

    return step


def main():
    path, data, _, mode = sys.argv[1:5]
    mxnet.random.seed(1)
    net = saved.Net(path)
    x = nd.array(numpy.load(data))
    block = Block(net)
    set_weights(block, net)
    batch = x.shape[0]
    wanted = saved.labels(net, batch)

    def loss(y, F):
        if net.loss == "softmax_ce":
            scores = F.log_softmax(y, axis=-1)
            hot = F.one_hot(nd.array(wanted) if F is nd else F.var("label", shape=(batch,)), net.shapes[net.result][-1])
            return -F.sum(scores * hot) / batch
        return 0.5 * F.mean(y * y) if net.loss == "l2" else y

    ready = nd.array(wanted)
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()

    def imperative():
        with autograd.record():
            y = block(x)
            y = cross_entropy(y, ready) if net.loss == "softmax_ce" else loss(y, nd)
        y.backward()
        nd.waitall()

    first = block(x).asnumpy()  # outside record(): inference
    if mode == "static":
        block.hybridize(static_alloc=True, static_shape=True)
    saved.serve(f"MXNet {mxnet.__version__} {mode}", lambda: first,
                bound_step(block, x, loss) if mode == "symbol" else imperative)


main()
