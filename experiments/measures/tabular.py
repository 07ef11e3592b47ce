"""Tables with known effects, and small networks that learn many of them at once (C132)."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

FEATURES, TRAINING, TESTED, HIDDEN = 10, 4000, 50, 32
STEPS, BATCH, RATE, NOISE = 1500, 100, 5e-3, 0.1
GAPS = {"small": 0.97, "large": 0.7}  # of each effect to the next larger one


class Tables(NamedTuple):
    """Rows x (sets, n, features), what they give y (sets, n), the effect of each entry, shaped like x."""

    x: Tensor
    y: Tensor
    effects: Tensor


def effect(u: Tensor, kind: Tensor) -> Tensor:
    """A straight line, a parabola or a wave of normal u, each with mean 0 and variance 1."""
    wave = (2 * u).sin() / ((1 - torch.tensor(-8.0).exp()) / 2).sqrt()
    return torch.where(kind == 0, u, torch.where(kind == 1, (u * u - 1) / 2**0.5, wave))


def tables(sets: int, n: int, *, generator: Generator) -> Tables:
    """Pairs of data sets that differ in their gaps alone, small and large in turn: x = μ + u and
    y = Σ β_j g_j(u_j) + noise. The sizes |β_j| fall by the gap from one to the next and have Σ β² = 1."""
    pairs, found = sets // 2, []
    u, noise = (torch.randn(pairs, n, k, generator=generator) for k in (FEATURES, 1))
    means = 1 + 2 * torch.rand(pairs, 1, FEATURES, generator=generator)
    signs, kind = (torch.randint(k, (pairs, 1, FEATURES), generator=generator) for k in (2, 3))
    place = torch.rand(pairs, 1, FEATURES, generator=generator).argsort(-1)
    for gap in GAPS.values():
        sizes = gap ** place.float()
        beta = (2 * signs - 1) * sizes / sizes.square().sum(-1, keepdim=True).sqrt()
        effects = beta * effect(u, kind)
        found.append((means + u, effects.sum(-1) + NOISE * noise[..., 0], effects))
    return Tables(*(torch.stack(part, 1).flatten(0, 1) for part in zip(*found, strict=True)))


def trained(data: Tables, *, seed: int) -> list[nn.Sequential]:
    """A network for each set with two hidden layers, by Adam on all sets at once; each sees its own set. It
    takes rows (N, 1, 1, features), as they are: it learnt from centred ones, and its bias takes the means."""
    generator, sets = Generator().manual_seed(seed), len(data.x)
    centre = data.x.mean(1, keepdim=True)
    sizes = (FEATURES, HIDDEN, HIDDEN, 1)
    weights = [torch.randn(sets, a, b, generator=generator) * (2 / a) ** 0.5
               for a, b in pairwise(sizes)]
    biases = [torch.zeros(sets, 1, b) for b in sizes[1:]]
    parameters = [p.requires_grad_() for p in (*weights, *biases)]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(data.x.shape[1], (BATCH,), generator=generator)
        z = data.x[:, rows] - centre
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = torch.baddbmm(b, z.relu() if k else z, w)
        loss = (z[..., 0] - data.y[:, rows]).square().mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return [_one([w[i].detach() for w in weights], [b[i, 0].detach() for b in biases], centre[i, 0])
            for i in range(sets)]


def _one(weights: list[Tensor], biases: list[Tensor], centre: Tensor) -> nn.Sequential:
    layers = [nn.Linear(*w.shape) for w in weights]
    for layer, w, b in zip(layers, weights, biases, strict=True):
        layer.weight.data, layer.bias.data = w.T.clone(), b.clone()
    layers[0].bias.data -= layers[0].weight.data @ centre
    model = nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    return model.eval().requires_grad_(False)
