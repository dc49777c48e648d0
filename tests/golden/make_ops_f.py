"""Writes ops_f.json: golden values of reductions, norms, softmax, losses, products and updates from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_f.py.
"""

import torch
from torch.nn import functional

import cases as golden
from cases import F64, Cases, array

torch.manual_seed(20251121)
cases = Cases()


def random(*shape, scale=1.0, shift=0.0):
    """Multiples of 1/256, which are exact in float32 and keep the file small."""
    return (torch.randn(shape, dtype=F64) * scale * 256).round() / 256 + shift


golden.random = random
case, differentiable = cases.add, cases.differentiable

# shape and axes; None: all
OVER = (((3, 5), None), ((3, 5), (0,)), ((3, 5), (-1,)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,)), ((3, 2, 2, 3), (1, 3)),
        ((2, 35), (1,)), ((17, 3), (0,)))


def over(axes, keep, further=""):
    named = "axes=" + "-".join(map(str, axes)) + "," if axes else ""
    return f"{named}keep_dims={str(keep).lower()}{further}"


def to_last(x, axes):
    """x with the axes that are gone over flattened behind the others, and the shape of those."""
    axes = tuple(range(x.dim())) if axes is None else tuple(a % x.dim() for a in axes)
    kept = [a for a in range(x.dim()) if a not in axes]
    return x.permute(*kept, *axes).reshape([x.shape[a] for a in kept] + [-1]), axes


def extremes():
    for shape, axes in OVER:
        for keep in (False, True):
            x = random(*shape)
            flat, gone = to_last(x, axes)
            keep_shape = [1 if a in gone else n for a, n in enumerate(shape)]
            for least in (False, True):
                at = flat.argmin(-1) if least else flat.argmax(-1)
                at = at.reshape(keep_shape) if keep else at
                case("argmin" if least else "argmax", over(axes, keep), [array(x)], [array(at)])
                differentiable("min" if least else "max", over(axes, keep), [x.detach().clone()],
                               lambda x, least=least: (torch.amin if least else torch.amax)(x, gone, keepdim=keep))


def moments():
    for shape, axes in OVER:
        for keep, correction, shift in ((False, 1, 0), (True, 0, 0), (False, 2, 1000)):
            gone = to_last(torch.zeros(shape), axes)[1]
            differentiable("variance", over(axes, keep, f",correction={correction}"), [random(*shape, shift=shift)],
                           lambda x, c=correction, k=keep: torch.var(x, gone, correction=c, keepdim=k))
            if correction < 2:
                differentiable("l2_norm", over(axes, keep), [random(*shape)],
                               lambda x, k=keep: torch.linalg.vector_norm(x, 2, gone, keepdim=k))
        for epsilon in (1e-12, 5.0):  # the latter above some norms and below others
            differentiable("l2_normalise", ("axes=" + "-".join(map(str, gone)) if axes else "axes=") +
                           f",epsilon={epsilon}", [random(*shape)],
                           lambda x, e=epsilon: x / torch.linalg.vector_norm(x, 2, gone, keepdim=True).clamp_min(e))
    case("variance", "correction=0", [array(torch.full((7,), 2.5, dtype=F64))], [array(torch.zeros((), dtype=F64))])
    differentiable("l2_norm", "axes=1", [torch.tensor([[0, 0, 0], [3, 4, 0]], dtype=F64)],
                   lambda x: torch.linalg.vector_norm(x, 2, 1))


def softmaxes():
    for shape, axis, scale in (((3, 5), -1, 1), ((3, 5), 0, 1), ((7,), 0, 3), ((2, 3, 4), 1, 3), ((2, 40), -1, 2),
                               ((4, 20), 0, 2), ((3, 1), -1, 1)):
        for name, function in (("softmax", functional.softmax), ("log_softmax", functional.log_softmax)):
            differentiable(name, f"axis={axis}", [random(*shape, scale=scale)], lambda x: function(x, axis))


def rows(losses):
    return losses.reshape(losses.shape[0], -1).mean(1)


def losses():
    for shape, scale in (((3, 5), 1), ((4,), 1), ((2, 3, 7), 3), ((2, 20), 30)):
        differentiable("l1_loss", "", [random(*shape, scale=scale), random(*shape)],
                       lambda x, t: rows(functional.l1_loss(x, t, reduction="none")))
        for delta in (1.0, 0.3):
            differentiable("huber_loss", f"delta={delta}", [random(*shape, scale=scale), random(*shape)],
                           lambda x, t: rows(functional.huber_loss(x, t, reduction="none", delta=delta)))
        differentiable("sigmoid_cross_entropy", "", [random(*shape, scale=scale), (torch.rand(shape, dtype=F64) * 256).round() / 256],
                       lambda x, t: rows(functional.binary_cross_entropy_with_logits(x, t, reduction="none")))


def products():
    for left, right, ta, tb in (((2, 3, 4), (2, 4, 5), 0, 0), ((2, 3, 4), (4, 5), 0, 0), ((3, 4), (2, 5, 4), 0, 1),
                                ((2, 1, 4, 3), (3, 4, 2), 1, 0), ((1, 2, 5, 3), (3, 1, 2, 5), 1, 1),
                                ((2, 20, 18), (2, 18, 17), 0, 0)):
        differentiable("matmul", f"transpose_a={str(bool(ta)).lower()},transpose_b={str(bool(tb)).lower()}",
                       [random(*left), random(*right)],
                       lambda a, b: torch.matmul(a.mT if ta else a, b.mT if tb else b))
    for n in (1, 5, 40):
        differentiable("dot", "", [random(n), random(n)], torch.dot)
    for m, n in ((3, 5), (1, 4), (19, 2)):
        differentiable("outer", "", [random(m), random(n)], torch.outer)


extremes()
moments()
softmaxes()
losses()
products()
cases.write(__file__, "ops_f.json")
