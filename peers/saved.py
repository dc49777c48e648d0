"""A net that tare has saved (docs/FORMAT.md), for a peer to build, and the loop by which beside.py drives a peer.

A peer is a script with a table OPERATORS: name of an operator -> function(node, net) that makes the peer's own layer of
it. It runs the very graph and the very weights that `tare graph NET --save` wrote, so that beside.py can compare what it
computes before it is timed. Needs numpy; runs on Python 3.8, which MXNet 1.9.1 asks for.
"""
import json
import struct
import sys
import time

import numpy

DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "u1"}


class Node:
    """A node of the program: op, layer, its attributes as numbers, numbers of the values that it reads and makes."""

    def __init__(self, record, first):
        self.op = record["op"]
        self.inputs = record["in"]
        self.bias = self.inputs[2] if len(self.inputs) > 2 else None  # of a convolution and a dense layer
        self.attributes = dict(pair.split("=") for pair in record.get("attributes", "").split(",") if pair)
        self.outputs = range(first, first + len(record["out"]))
        self.shape = record["out"][0]["shape"]

    def number(self, name, otherwise=None):
        """An attribute; otherwise: where the operator has none of that name."""
        return float(self.attributes[name]) if name in self.attributes else otherwise

    def pair(self, name):
        return int(self.attributes[name + "_h"]), int(self.attributes[name + "_w"])


class Net:
    """weights: value number -> array; nodes of a program, `training` or `inference`; n_values in all."""

    def __init__(self, path, program="training"):
        with open(path, encoding="utf-8") as file:
            self.structure = json.load(file)
        stored = read_safetensors(path[: -len(".json")] + ".safetensors")
        names = [p["name"] for p in self.structure["parameters"]]
        self.weights = {i: stored[name] for i, name in enumerate(names)}
        self.trained = {i for i, p in enumerate(self.structure["parameters"]) if p["gradient"]}
        self.input = len(names)
        self.loss = self.structure["net"]["bench_loss"]
        programs = self.structure["programs"]
        self.program = programs.get("both") or programs[program]
        self.nodes = []
        self.shapes = {i: list(w.shape) for i, w in self.weights.items()}
        self.shapes[self.input] = self.structure["inputs"][0]["shape"]
        at = len(names) + len(self.structure["inputs"])
        for record in self.program["nodes"]:
            self.nodes.append(Node(record, at))
            for out in record["out"]:
                if out:
                    self.shapes[at] = out["shape"]
                at += 1
        self.result = self.program["results"][0]

    def channels_last(self, node):
        """The weights of a convolution as [R,S,C/G,K]; those of a dense layer as [inner, outer], whose rows, where it reads
        a flattened [C,H,W], follow [H,W,C]."""
        weights = self.weights[node.inputs[1]]
        if weights.ndim == 4:
            return weights.transpose(2, 3, 1, 0)
        made = next((n for n in self.nodes if node.inputs[0] in n.outputs), None)
        before = self.shapes[made.inputs[0]] if made and made.op == "flatten" else []
        if len(before) == 4:
            weights = weights.reshape(-1, *before[1:]).transpose(0, 2, 3, 1).reshape(weights.shape)
        return numpy.ascontiguousarray(weights.T)

    def layers(self, operators):
        """(layer, numbers of the values that it reads, number that it makes) of each node that computes something."""
        made = []
        for node in self.nodes:
            if node.op == "increment":  # the count of random calls: a peer keeps its own
                continue
            if node.op not in operators:
                sys.exit(f"this peer has no operator {node.op}")
            reads = [i for i in node.inputs if i is not None and i not in self.weights]
            made.append((operators[node.op](node, self), reads, node.outputs[0]))
        return made


def read_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(data[slice(*a["data_offsets"])], DTYPES[a["dtype"]]).reshape(a["shape"]).copy()
            for name, a in header.items()}


def walk(layers, x, first, result):
    """The value `result` of a net whose input is x."""
    value = {first: x}
    for layer, reads, makes in layers:
        value[makes] = layer(*[value[i] for i in reads])
    return value[result]


def serve(version, outputs, step):
    """Answers beside.py's lines: {"outputs": FILE} writes what the net computes in inference; {"seconds": S} takes steps
    for that long, two at least, and answers their milliseconds. step() returns when the step is done."""
    print(json.dumps({"ready": True, "version": version}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {}
        if "outputs" in asked:
            numpy.save(asked["outputs"], numpy.ascontiguousarray(outputs(), dtype="<f4"))
        else:
            answer["ms"] = []
            end = time.perf_counter() + asked["seconds"]
            while len(answer["ms"]) < 2 or time.perf_counter() < end:
                start = time.perf_counter()
                step()
                answer["ms"].append((time.perf_counter() - start) * 1e3)
        print(json.dumps(answer), flush=True)


def idle(why):
    """Instead of serve: this mode means nothing for this net."""
    print(json.dumps({"idle": why}), flush=True)


def labels(net, batch):
    """Class numbers for softmax cross-entropy, as arbitrary as tare's own."""
    return numpy.random.RandomState(1).randint(0, net.structure["net"]["output"]["shape"][-1], batch)
