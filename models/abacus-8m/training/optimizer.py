"""Muon for the matrices (https://kellerjordan.github.io/posts/muon/), Adam for everything else."""

import torch

# Five Newton-Schulz steps with step-wise coefficients; each row is (a, b, c) of a*X + (b*A + c*A*A)*X with A = X*X^T.
NEWTON_SCHULZ = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


def orthogonalise(x):
    """The nearest matrix with singular values about 1, for each matrix of [..., rows <= columns, columns]."""
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(torch.bfloat16)
    for a, b, c in NEWTON_SCHULZ:
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.float()


class Muon:
    """Momentum, orthogonalised. Parameters of one shape (or its transpose) are stacked and handled together."""

    def __init__(self, parameters, weight_decay, momentum=0.95, compiled=True):
        self.groups = {}
        for parameter in parameters:
            self.groups.setdefault(tuple(sorted(parameter.shape[-2:])), []).append(parameter)
        self.buffers = {parameter: torch.zeros_like(parameter) for parameter in parameters}
        self.weight_decay, self.momentum = weight_decay, momentum
        self.orthogonalise = torch.compile(orthogonalise, dynamic=False) if compiled else orthogonalise

    @torch.no_grad()
    def step(self, rate):
        for shape, parameters in self.groups.items():
            gradients, buffers = [p.grad for p in parameters], [self.buffers[p] for p in parameters]
            torch._foreach_lerp_(buffers, gradients, 1 - self.momentum)
            steps = torch._foreach_lerp(gradients, buffers, self.momentum)  # Nesterov
            flat = [s if s.shape[-2] <= s.shape[-1] else s.mT for s in steps]
            stacked = self.orthogonalise(torch.cat([s.reshape(-1, *shape) for s in flat]))
            updates = []
            for part, parameter in zip(stacked.split([p.numel() // (shape[0] * shape[1]) for p in parameters]), parameters):
                rows, columns = parameter.shape[-2:]
                part = part if rows <= columns else part.mT
                updates.append(part.reshape(parameter.shape) * max(1, rows / columns) ** 0.5)
            torch._foreach_mul_(parameters, 1 - rate * self.weight_decay)
            torch._foreach_add_(parameters, updates, alpha=-rate)


class Optimizer:
    """Both at once; `step(factor)` takes the schedule's factor, 1 at the top."""

    def __init__(self, model, matrix_rate, other_rate, weight_decay, compiled):
        routers = [mlp.router for mlp in model.moe_mlps]
        special = {id(p) for p in [model.embedding, model.head, *routers]}
        matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in special]
        taken = {id(p) for p in matrices} | {id(p) for p in routers}
        rest = [p for p in model.parameters() if id(p) not in taken]
        self.rates = [other_rate, other_rate / 3]  # routers slower: experts that change hands too often learn nothing
        self.matrix_rate = matrix_rate
        self.muon = Muon(matrices, weight_decay, compiled=compiled)
        fused = next(model.parameters()).is_cuda
        self.adam = torch.optim.Adam([{"params": rest}, {"params": routers}], betas=(0.9, 0.95), eps=1e-9, fused=fused)

    def step(self, factor):
        for group, rate in zip(self.adam.param_groups, self.rates):
            group["lr"] = rate * factor
        self.muon.step(self.matrix_rate * factor)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        for parameter in self.muon.buffers:
            parameter.grad = None
