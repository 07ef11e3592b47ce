"""Adversarial examples: the inner maximisation of Eq. 3 (paper §5.2)."""
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.scores import loss_and_gradient


class Norm(NamedTuple):
    """What an attack must know of a norm. All take and return changes of images (N, C, H, W)."""

    steepest: Callable[[Tensor], Tensor]  # the direction of length 1 in which the loss rises fastest
    project: Callable[[Tensor, float], Tensor]  # the nearest change inside the ball of radius ε
    start: Callable[[Tensor, Generator], Tensor]  # a random change inside the ball of radius 1


def _length(d: Tensor) -> Tensor:
    return d.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-12)


def _in_l2_ball(d: Tensor, generator: Generator) -> Tensor:
    direction = torch.randn(d.shape, generator=generator, dtype=d.dtype, device=d.device)
    radius = torch.rand((len(d), 1, 1, 1), generator=generator, dtype=d.dtype, device=d.device)
    return direction / _length(direction) * radius ** (1 / d[0].numel())


def _in_cube(d: Tensor, generator: Generator) -> Tensor:
    return 2 * torch.rand(d.shape, generator=generator, dtype=d.dtype, device=d.device) - 1


NORMS = {
    "linf": Norm(torch.sign, lambda d, epsilon: d.clamp(-epsilon, epsilon), _in_cube),
    "l2": Norm(
        lambda d: d / _length(d), lambda d, epsilon: d * (epsilon / _length(d)).clamp_max(1), _in_l2_ball
    ),
}


def pgd(
    model: nn.Module, x: Tensor, target: Tensor, *, norm: str, epsilon: float, iterations: int = 20,
    generator: Generator,
) -> Tensor:
    """Projected gradient descent (Madry et al. 2018): images (N, C, H, W) in [0, 1], within `epsilon` of
    x in the norm "linf" or "l2", on which the loss of `target` is high.

    Random start inside the ball; steps of 2.5 ε / iterations, so that any point of it can be reached; the
    last point is returned. A model in training mode stays there: its batch norms see the attack's points
    too. `ValueError` for another norm, ε ≤ 0, no iterations, or x outside [0, 1].
    """
    if norm not in NORMS:
        raise ValueError(f"no norm {norm!r}; there are {', '.join(NORMS)}")
    if epsilon <= 0 or iterations < 1:
        raise ValueError(f"epsilon {epsilon} and iterations {iterations} must be positive")
    if not (x.min() >= 0 and x.max() <= 1):
        raise ValueError("x must lie in [0, 1] and hold no NaN; normalisation belongs into the model")
    steepest, project, start = NORMS[norm]
    size, x = 2.5 * epsilon / iterations, x.detach()
    adversarial = (x + epsilon * start(x, generator)).clamp(0, 1)
    for _ in range(iterations):
        _, gradient = loss_and_gradient(model, adversarial, target)
        moved = adversarial + size * steepest(gradient)
        adversarial = (x + project(moved - x, epsilon)).clamp(0, 1)
    return adversarial
