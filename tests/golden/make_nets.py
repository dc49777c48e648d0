"""Writes nets.json: loss, outputs, gradients and running statistics of the image nets from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_nets.py. Parameters, state and images are not in the file: both sides
make them of a formula (formula.py), as float32; of each result stands its digest. The nets are written here a second
time, as calls of torch.nn.functional. `float32` is by how much PyTorch's own float32 misses one of these products, as a
share of the norm: where a relu or a maximum falls the other way, a deep net's gradients are off by far more than
roundings.
"""

import json
import pathlib

import numpy
import torch
from torch.nn import functional as F

from formula import digest, numbers

torch.set_num_threads(2)
F64 = torch.float64


class Net:
    """Parameters by name, made when they are first asked for; the forward functions below ask in their order."""

    def __init__(self, training, dtype):
        self.training, self.dtype, self.parameters, self.state = training, dtype, {}, {}

    def tensor(self, kind, name, shape, scale, shift=0.0):
        if name not in kind:
            values = (numbers(name, int(numpy.prod(shape))) * scale + shift).astype(numpy.float32)
            kind[name] = torch.tensor(values, dtype=self.dtype).reshape(shape)
            kind[name].requires_grad_(kind is self.parameters)
        return kind[name]

    def affine(self, path, shape, biased=True):
        spread = 2 * ((6 if biased else 2) / numpy.prod(shape[1:])) ** 0.5
        weight = self.tensor(self.parameters, path + ".weight", shape, spread)
        return weight, self.tensor(self.parameters, path + ".bias", shape[:1], 0.1) if biased else None

    def conv(self, path, x, maps, size, stride=1, pad=0, biased=True):
        return F.conv2d(x, *self.affine(path, (maps, x.shape[1], size, size), biased), stride=stride, padding=pad)

    def dense(self, path, x, units):
        x = x.flatten(1)
        return F.linear(x, *self.affine(path, (units, x.shape[1])))

    def norm(self, path, x):
        shape = x.shape[1:2]
        scale = self.tensor(self.parameters, path + ".weight", shape, 0.4, 1.0)
        shift = self.tensor(self.parameters, path + ".bias", shape, 0.1)
        mean = self.tensor(self.state, path + ".running_mean", shape, 0.2)
        var = self.tensor(self.state, path + ".running_var", shape, 0.5, 1.0)
        return F.batch_norm(x, mean, var, scale, shift, self.training, 0.1, 1e-5)


def lenetp(net, x):
    x = F.avg_pool2d(F.relu(net.conv("conv0", x, 6, 5)), 2)
    x = F.avg_pool2d(F.relu(net.conv("conv1", x, 16, 3)), 2)
    x = F.relu(net.dense("dense0", x, 120))
    return net.dense("dense2", F.relu(net.dense("dense1", x, 84)), 10)


def lenet(net, x):
    x = F.max_pool2d(torch.tanh(net.conv("conv0", x, 20, 5)), 2)
    x = F.max_pool2d(torch.tanh(net.conv("conv1", x, 50, 5)), 2)
    return net.dense("dense1", torch.tanh(net.dense("dense0", x, 500)), 10)


def cifarnet(net, x):
    for i in range(2):
        x = F.relu(net.conv(f"conv{2 * i}", x, 32 << i, 3, 1, 1))
        x = F.max_pool2d(F.relu(net.conv(f"conv{2 * i + 1}", x, 32 << i, 3)), 2)
    return net.dense("dense1", F.relu(net.dense("dense0", x, 512)), 10)


def vgg_cifar(net, x):
    i = 0
    for maps, count in (64, 2), (128, 2), (256, 3), (512, 3):
        for _ in range(count):
            x = F.relu(net.conv(f"conv{i}", x, maps, 3, 1, 1))
            i += 1
        x = F.max_pool2d(x, 2)
    x = F.relu(net.dense("dense0", x, 512))
    return net.dense("dense2", F.relu(net.dense("dense1", x, 256)), 10)


def alexnet(net, x):
    x = F.max_pool2d(F.relu(net.conv("conv0", x, 64, 11, 4)), 3, 2)
    x = F.max_pool2d(F.relu(net.conv("conv1", x, 192, 5, 1, 2)), 3, 2)
    for i, maps in (2, 384), (3, 256), (4, 256):
        x = F.relu(net.conv(f"conv{i}", x, maps, 3, 1, 1))
    x = F.relu(net.dense("dense0", F.max_pool2d(x, 3, 2), 4096))
    return net.dense("dense2", F.relu(net.dense("dense1", x, 4096)), 10)


def inception(net, at, x, n1, r3, n3, r5, n5, pool):
    def part(path, of, *shape):
        return F.relu(net.conv(f"{at}.{path}", of, *shape))

    return torch.cat([part("1x1", x, n1, 1),
                      part("3x3", part("3x3_reduce", x, r3, 1), n3, 3, 1, 1),
                      part("5x5", part("5x5_reduce", x, r5, 1), n5, 5, 1, 2),
                      part("pool_proj", F.max_pool2d(x, 3, 1, 1), pool, 1)], 1)


def googlenet(net, x):
    x = F.max_pool2d(F.relu(net.conv("conv1", x, 64, 7, 2, 3)), 3, 2)
    x = F.max_pool2d(net.conv("conv3", net.conv("conv2", x, 64, 1), 192, 3, 1, 1), 3, 2)
    x = inception(net, "3a", x, 64, 96, 128, 16, 32, 32)
    x = F.max_pool2d(inception(net, "3b", x, 128, 128, 192, 32, 96, 64), 3, 2)
    x = inception(net, "4a", x, 192, 96, 208, 16, 48, 64)
    x = inception(net, "4b", x, 160, 112, 224, 24, 64, 64)
    x = inception(net, "4c", x, 128, 128, 256, 24, 64, 64)
    x = inception(net, "4d", x, 112, 144, 288, 32, 64, 64)
    x = F.max_pool2d(inception(net, "4e", x, 256, 160, 320, 32, 128, 128), 3, 2)
    x = inception(net, "5a", x, 256, 160, 320, 32, 128, 128)
    x = inception(net, "5b", x, 384, 192, 384, 48, 128, 128)
    return net.dense("dense0", F.avg_pool2d(x, 2), 1000)


def bottleneck(net, at, x, maps, stride):
    y = F.relu(net.norm(at + ".bn1", net.conv(at + ".conv1", x, maps, 1, biased=False)))
    y = F.relu(net.norm(at + ".bn2", net.conv(at + ".conv2", y, maps, 3, stride, 1, False)))
    y = net.norm(at + ".bn3", net.conv(at + ".conv3", y, 4 * maps, 1, biased=False))
    if y.shape != x.shape:
        x = net.norm(at + ".downsample.1", net.conv(at + ".downsample.0", x, 4 * maps, 1, stride, biased=False))
    return F.relu(y + x)


def resnet50(net, x):
    x = F.max_pool2d(F.relu(net.norm("bn1", net.conv("conv1", x, 64, 7, 2, 3, False))), 3, 2, 1)
    for stage, count in enumerate((3, 4, 6, 3)):
        for i in range(count):
            x = bottleneck(net, f"layer{stage + 1}.{i}", x, 64 << stage, 2 if stage and i == 0 else 1)
    return net.dense("fc", x.mean((2, 3)), 1000)


def run(forward, shape, training, dtype):
    net = Net(training, dtype)
    x = torch.tensor(numbers("x", int(numpy.prod(shape))), dtype=dtype).reshape(shape)
    y = forward(net, x)
    loss = F.cross_entropy(y, torch.arange(shape[0]) * 7 % y.shape[1])
    loss.backward()
    return {"loss": float(f"{loss.item():.12g}"), "output": {"y": digest(y)},
            "gradient": {name: digest(p.grad) for name, p in net.parameters.items()},
            "state": {name: digest(s) for name, s in net.state.items()} if training else {}}


def case(forward, shape, training=False):
    wide, narrow = (run(forward, shape, training, dtype) for dtype in (F64, torch.float32))
    off = max(abs(a - b) / result[0] for kind in ("output", "gradient", "state") for name, result in wide[kind].items()
              for a, b in zip(result, narrow[kind][name]))
    return {"net": forward.__name__, "batch": shape[0], "training": training, "float32": float(f"{off:.2g}"), **wide}


digit, small, large = (1, 28, 28), (3, 32, 32), (3, 224, 224)
cases = [case(lenetp, (3, *digit)), case(lenet, (3, *digit)), case(cifarnet, (3, *small)), case(vgg_cifar, (3, *small)),
         case(alexnet, (2, *large)), case(googlenet, (2, *large)), case(resnet50, (1, *large)),
         case(resnet50, (2, *large), True)]
path = pathlib.Path(__file__).with_name("nets.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
for c in cases:
    print(c["net"], c["training"], c["float32"], c["loss"], c["output"])
