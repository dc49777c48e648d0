"""Writes ops_d.json: golden values of operators with state, pooling, embeddings and clipping from PyTorch in float64.

Run with any PyTorch: python3 tests/golden/make_ops_d.py. The schema is that of make_ops_b.py. Dropout is not here: its
draws are this project's own, and tests/test_state.c checks them against known Philox bits.
"""

import torch
from torch.nn import functional

from cases import F64, Cases, array, random

torch.manual_seed(20240818)
cases = Cases()
case, differentiable = cases.add, cases.differentiable


def batch_norms():
    for shape, epsilon, momentum, scale, shift in (((4, 3), 1e-5, 0.1, 1, 0), ((2, 5, 3), 1e-3, 0.3, 3, 1),
                                                   ((3, 2, 4, 5), 1e-5, 0.1, 0.1, -2), ((2, 3, 2, 3, 2), 0.1, 1, 1, 0)):
        c = shape[1]
        running = [random(c), torch.rand(c, dtype=F64)]
        after = [t.clone() for t in running]
        x, gamma, beta = (t.requires_grad_() for t in (random(*shape, scale=scale, shift=shift), random(c), random(c)))
        y = functional.batch_norm(x, *after, gamma, beta, True, momentum, epsilon)
        head = random(*shape)
        y.backward(head)
        case("batch_norm", f"epsilon={epsilon},momentum={momentum}", [array(t) for t in (x, gamma, beta, *running)],
             [array(t) for t in (y, *after)], [array(head), None, None],
             [array(x.grad), array(gamma.grad), array(beta.grad), None, None])
    x, gamma, beta = random(6, 2), random(2), random(2)
    case("batch_norm", "", [array(t) for t in (x, gamma, beta)] + [None, None],
         [array(functional.batch_norm(x, None, None, gamma, beta, True)), None, None])
    for shape, epsilon in (((4, 3), 1e-5), ((1, 2), 1e-5), ((3, 2, 4, 5), 0.1)):
        c = shape[1]
        inputs = [random(*shape), random(c), random(c), random(c), torch.rand(c, dtype=F64) + 0.1]
        differentiable("batch_norm_inference", f"epsilon={epsilon}", inputs,
                       lambda *i, e=epsilon: by_hand(*i, epsilon=e))
        x, gamma, beta, mean, var = (t.detach() for t in inputs)
        theirs = functional.batch_norm(x, mean, var, gamma, beta, eps=epsilon)
        assert (theirs - by_hand(*inputs, epsilon=epsilon)).abs().max() < 1e-12


def by_hand(x, gamma, beta, mean, var, epsilon):
    """PyTorch's own gives no gradient of given statistics; its formula in elementary operations does."""
    wide = [1, -1] + [1] * (x.dim() - 2)
    return ((x - mean.view(wide)) / (var.view(wide) + epsilon).sqrt()) * gamma.view(wide) + beta.view(wide)


def pools():
    for shape, k, s, p, ceil in (((2, 3, 6, 8), (2, 2), None, (0, 0), False),
                                 ((1, 2, 7, 9), (3, 3), (2, 2), (1, 1), False),
                                 ((1, 2, 7, 9), (3, 2), (2, 3), (1, 0), True),
                                 ((1, 1, 5, 40), (3, 3), (1, 1), (1, 1), False),
                                 ((1, 1, 4, 75), (2, 2), (2, 2), (0, 0), False),
                                 ((1, 1, 5, 41), (2, 4), (3, 3), (1, 2), True),
                                 ((1, 1, 6, 6), (2, 2), (3, 3), (1, 1), True)):
        stride = s or (0, 0)
        attr = (f"kernel_h={k[0]},kernel_w={k[1]},stride_h={stride[0]},stride_w={stride[1]},"
                f"pad_h={p[0]},pad_w={p[1]},ceil_mode={str(ceil).lower()}")
        differentiable("max_pool2d", attr, [random(*shape)],
                       lambda x, k=k, s=s, p=p, ceil=ceil: functional.max_pool2d(x, k, s, p, ceil_mode=ceil))
        # few distinct values: the first of equal maxima gets the gradient
        differentiable("max_pool2d", attr, [torch.randint(0, 2, shape).to(F64)],
                       lambda x, k=k, s=s, p=p, ceil=ceil: functional.max_pool2d(x, k, s, p, ceil_mode=ceil))


def embeddings():
    for v, d, ids in ((7, 5, (3,)), (4, 3, (5, 6)), (3, 17, (2, 2, 9)), (3, 2, ())):
        differentiable("gather", "", [random(v, d), torch.randint(0, v, ids, dtype=torch.int32)],
                       lambda table, i: functional.embedding(i, table))


def clips():
    differentiable("sum_of_squares", "", [random(3, 7)], lambda x: (x * x).sum())
    differentiable("sum_of_squares", "", [random(100, scale=30)], lambda x: (x * x).sum())
    for norm, scale in ((1.0, 3), (0.1, 1), (100.0, 1), (1.0, 0)):
        p = torch.nn.Parameter(torch.zeros(40, dtype=F64))
        p.grad = random(40) * scale + (1e-3 if scale == 0 else 0)
        before = p.grad.clone()
        torch.nn.utils.clip_grad_norm_([p], norm)
        case("clip_factor", "", [array((before * before).sum()), array(torch.tensor(norm, dtype=F64))],
             [array((p.grad / before)[0])])


batch_norms()
pools()
embeddings()
clips()
cases.write(__file__, "ops_d.json")
