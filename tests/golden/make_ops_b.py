"""Writes ops_b.json: golden values of products, losses and updates from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_b.py. A case is {"op", "attr", "inputs", "outputs", "heads",
"gradients"}; an array is {"dtype", "shape", "data"}; null stands for an absent input, an output that is not wanted, or
no gradient. "gradients" belong to sum(outputs * heads). Numbers are float64; a float32 run rounds them first.
"""

import json
import pathlib

import torch

torch.manual_seed(20240817)
F64 = torch.float64
cases = []


def array(t, dtype="float32"):
    if t is None:
        return None
    if not torch.is_tensor(t):
        t = torch.tensor(t, dtype=F64)
    return {"dtype": dtype, "shape": list(t.shape), "data": t.detach().reshape(-1).tolist()}


def case(op, attr, inputs, outputs, heads=None, gradients=None):
    cases.append({"op": op, "attr": attr, "inputs": inputs, "outputs": outputs,
                  "heads": heads, "gradients": gradients})


def random(*shape, scale=1.0, shift=0.0):
    return torch.randn(*shape, dtype=F64) * scale + shift


def differentiable(op, attr, inputs, function):
    """A case whose output and gradients come from torch's autograd; inputs of integer dtype have no gradient."""
    leaves = [None if x is None else x.requires_grad_(x.is_floating_point()) for x in inputs]
    out = function(*leaves)
    head = random(*out.shape)
    out.backward(head)
    case(op, attr,
         [array(x, None if x is None else "float32" if x.is_floating_point() else "int32") for x in leaves],
         [array(out)], [array(head)],
         [array(x.grad) if x is not None and x.is_floating_point() else None for x in leaves])


def products():
    for n, k, o in ((3, 5, 4), (1, 17, 9), (33, 4, 1)):
        differentiable("dense", "", [random(n, k), random(o, k), random(o)], torch.nn.functional.linear)
    differentiable("dense", "", [random(2, 7), random(3, 7), None], torch.nn.functional.linear)
    for ta in (False, True):
        for tb in (False, True):
            a = random(5, 3) if ta else random(3, 5)
            b = random(4, 5) if tb else random(5, 4)
            differentiable("matmul", f"transpose_a={str(ta).lower()},transpose_b={str(tb).lower()}", [a, b],
                           lambda x, y, ta=ta, tb=tb: (x.T if ta else x) @ (y.T if tb else y))
    differentiable("matmul", "", [random(1, 20), random(20, 1)], lambda x, y: x @ y)


def activations():
    differentiable("relu", "", [random(3, 7)], torch.relu)


def losses():
    for n, c, scale in ((4, 3, 1), (5, 10, 8), (3, 33, 40), (2, 1, 1)):
        labels = torch.randint(0, c, (n,))
        differentiable("softmax_cross_entropy", "", [random(n, c, scale=scale), labels],
                       lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction="none"))
    far = torch.tensor([[1000.0, 0.0, -1000.0], [-1e4, -1e4, -1e4]], dtype=F64)
    differentiable("softmax_cross_entropy", "", [far, torch.tensor([1, 2])],
                   lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction="none"))
    for shape in ((4, 3), (5,), (2, 3, 7), (2, 40)):
        axes = tuple(range(1, len(shape)))
        differentiable("l2_loss", "", [random(*shape), random(*shape)],
                       lambda x, t, axes=axes: ((t - x) ** 2 / 2).mean(axes) if axes else (t - x) ** 2 / 2)


def optimizer_steps(n_steps, make, emit):
    """Runs a torch optimizer for n_steps on one parameter; emit(step, before, grad, after) sees each step."""
    w = torch.nn.Parameter(random(3, 7))
    optimizer = make([w])
    for step in range(1, n_steps + 1):
        before = (w.detach().clone(), {k: v.clone() for k, v in optimizer.state[w].items() if torch.is_tensor(v)})
        w.grad = random(3, 7)
        optimizer.step()
        emit(step, before, w.grad, (w.detach().clone(), optimizer.state[w]))


def updates():
    lr = 0.1
    for momentum, decay in ((0.9, 0.0), (0.9, 0.01), (0.0, 0.01)):
        def emit(step, before, grad, after):
            attr = f"momentum={momentum},weight_decay={decay}"
            if momentum == 0:
                case("sgd", attr, [array(before[0]), array(grad), None, array(lr)], [array(after[0]), None])
                return
            m = before[1].get("momentum_buffer", torch.zeros(3, 7, dtype=F64))
            case("sgd", attr, [array(before[0]), array(grad), array(m), array(lr)],
                 [array(after[0]), array(after[1]["momentum_buffer"])])
        optimizer_steps(3, lambda w: torch.optim.SGD(w, lr=lr, momentum=momentum, weight_decay=decay), emit)

    for betas, epsilon, decay in (((0.9, 0.999), 1e-8, 0.0), ((0.5, 0.9), 1e-3, 0.02)):
        def emit(step, before, grad, after):
            zeros = torch.zeros(3, 7, dtype=F64)
            rate = torch.tensor([lr / (1 - betas[0] ** step), 1 / (1 - betas[1] ** step) ** 0.5, lr], dtype=F64)
            case("adam", f"beta1={betas[0]},beta2={betas[1]},epsilon={epsilon},weight_decay={decay}",
                 [array(before[0]), array(grad), array(before[1].get("exp_avg", zeros)),
                  array(before[1].get("exp_avg_sq", zeros)), array(rate)],
                 [array(after[0]), array(after[1]["exp_avg"]), array(after[1]["exp_avg_sq"])])
            case("adam_rate", f"beta1={betas[0]},beta2={betas[1]}", [array(step, "int64"), array(lr)], [array(rate)])
        optimizer_steps(4, lambda w: torch.optim.Adam(w, lr=lr, betas=betas, eps=epsilon, weight_decay=decay), emit)

    for t in (0, 41, 2**40):
        case("increment", "", [array(t, "int64")], [array(t + 1, "int64")])


def further_updates():
    lr, zeros = 0.1, torch.zeros(3, 7, dtype=F64)

    def emit_nesterov(step, before, grad, after):
        case("sgd", "momentum=0.9,weight_decay=0.01,nesterov=true",
             [array(before[0]), array(grad), array(before[1].get("momentum_buffer", zeros)), array(lr)],
             [array(after[0]), array(after[1]["momentum_buffer"])])
    optimizer_steps(3, lambda w: torch.optim.SGD(w, lr=lr, momentum=0.9, weight_decay=0.01, nesterov=True),
                    emit_nesterov)

    def emit_adamw(step, before, grad, after):
        rate = torch.tensor([lr / (1 - 0.9 ** step), 1 / (1 - 0.99 ** step) ** 0.5, lr], dtype=F64)
        case("adam", "beta2=0.99,weight_decay=0.3,decoupled=true",
             [array(before[0]), array(grad), array(before[1].get("exp_avg", zeros)),
              array(before[1].get("exp_avg_sq", zeros)), array(rate)],
             [array(after[0]), array(after[1]["exp_avg"]), array(after[1]["exp_avg_sq"])])
    optimizer_steps(4, lambda w: torch.optim.AdamW(w, lr=lr, betas=(0.9, 0.99), weight_decay=0.3), emit_adamw)

    for op, attr, key, make in (
            ("rmsprop", "", "square_avg", lambda w: torch.optim.RMSprop(w, lr=lr)),
            ("rmsprop", "alpha=0.9,epsilon=0.001,weight_decay=0.02", "square_avg",
             lambda w: torch.optim.RMSprop(w, lr=lr, alpha=0.9, eps=1e-3, weight_decay=0.02)),
            ("adagrad", "", "sum", lambda w: torch.optim.Adagrad(w, lr=lr)),
            ("adagrad", "epsilon=0.001,weight_decay=0.02", "sum",
             lambda w: torch.optim.Adagrad(w, lr=lr, eps=1e-3, weight_decay=0.02))):
        def emit(step, before, grad, after):
            case(op, attr, [array(before[0]), array(grad), array(before[1].get(key, zeros)), array(lr)],
                 [array(after[0]), array(after[1][key])])
        optimizer_steps(3, make, emit)


def added_products():
    for ta in (False, True):
        for tb in (False, True):
            a, b, c = random(*((5, 3) if ta else (3, 5))), random(*((4, 5) if tb else (5, 4))), random(3, 4)
            differentiable("matmul_add", f"transpose_a={str(ta).lower()},transpose_b={str(tb).lower()}", [a, b, c],
                           lambda x, y, z, ta=ta, tb=tb: torch.addmm(z, x.T if ta else x, y.T if tb else y))


products()
activations()
losses()
updates()
further_updates()
added_products()
path = pathlib.Path(__file__).with_name("ops_b.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
