"""PyTorch: torch_peer.py NET.json INPUT.npy THREADS MODE, MODE one of eager, channels_last, compile (see saved.py)."""
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

import saved


def with_weights(layer, node, net):
    for name, number in zip(("weight", "bias"), node.inputs[1:]):
        if number is not None:
            getattr(layer, name).data = torch.from_numpy(net.weights[number])
    return layer


def conv2d(node, net):
    k, c, r, s = net.shapes[node.inputs[1]]
    groups = int(node.attributes["groups"])
    return with_weights(nn.Conv2d(c * groups, k, (r, s), node.pair("stride"), node.pair("pad"), node.pair("dilation"),
                                  groups, node.bias is not None), node, net)


def dense(node, net):
    out, inner = net.shapes[node.inputs[1]]
    return with_weights(nn.Linear(inner, out, node.bias is not None), node, net)


def batch_norm(node, net):
    return with_weights(nn.BatchNorm2d(net.shapes[node.inputs[1]][0], node.number("epsilon"), node.number("momentum", 0.1)),
                        node, net)


class Concat(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, *parts):
        return torch.cat(parts, self.axis)


class Add(nn.Module):
    def forward(self, a, b):
        return a + b


OPERATORS = {
    "conv2d": conv2d,
    "dense": dense,
    "batch_norm": batch_norm,
    "batch_norm_inference": batch_norm,
    "relu": lambda node, net: nn.ReLU(),
    "tanh": lambda node, net: nn.Tanh(),
    "max_pool2d": lambda node, net: nn.MaxPool2d(node.pair("kernel"), node.pair("stride"), node.pair("pad")),
    "avg_pool2d": lambda node, net: nn.AvgPool2d(node.pair("kernel"), node.pair("stride"), node.pair("pad")),
    "dropout": lambda node, net: nn.Dropout(node.number("rate")),
    "flatten": lambda node, net: nn.Flatten(),
    "concat": lambda node, net: Concat(int(node.attributes["axis"])),
    "add": lambda node, net: Add(),
}


class Module(nn.Module):
    def __init__(self, net):
        super().__init__()
        made = net.layers(OPERATORS)
        self.layer = nn.ModuleList(layer for layer, _, _ in made)
        self.edges = [(reads, makes) for _, reads, makes in made]
        self.first, self.result = net.input, net.result

    def forward(self, x):
        return saved.walk([(layer, *edge) for layer, edge in zip(self.layer, self.edges)], x, self.first, self.result)


def main():
    path, data, threads, mode = sys.argv[1:5]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    net = saved.Net(path)
    x = torch.from_numpy(numpy.load(data))
    module = Module(net)
    if mode == "channels_last":
        if x.ndim != 4:
            return saved.idle("channels_last is a layout of images")
        module, x = module.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run = torch.compile(module) if mode == "compile" else module
    wanted = torch.from_numpy(saved.labels(net, len(x)))
    head = None

    def loss_of(y):
        nonlocal head
        if net.loss == "softmax_ce":
            return functional.cross_entropy(y, wanted), None
        if net.loss == "l2":
            return 0.5 * (y * y).mean(), None
        if head is None:
            head = torch.ones_like(y)
        return y, head

    def step():
        module.zero_grad(set_to_none=True)
        y, gradient = loss_of(run(x))
        y.backward(gradient)

    def outputs():
        module.eval()
        with torch.no_grad():
            y = module(x).numpy()
        module.train()
        return y

    saved.serve(f"PyTorch {torch.__version__} {mode}", outputs, step)


main()
