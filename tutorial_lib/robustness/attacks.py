"""Adversarial examples: the inner maximisation of Eq. 3 (paper §5.2)."""
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.scores import chunk_size, logits, loss_and_gradient


class Norm(NamedTuple):
    """What an attack must know of a norm. All take and return changes of images (N, C, H, W)."""

    steepest: Callable[[Tensor], Tensor]  # the direction of length 1 in which the loss rises fastest
    project: Callable[[Tensor, float | Tensor], Tensor]  # the nearest change inside the ball of radius ε
    start: Callable[[Tensor, Generator], Tensor]  # a random change inside the ball of radius 1
    size: Callable[[Tensor], Tensor]  # how large each change is, (N,)


def _length(d: Tensor) -> Tensor:
    return d.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-12)


def _in_l2_ball(d: Tensor, generator: Generator) -> Tensor:
    direction = torch.randn(d.shape, generator=generator, dtype=d.dtype, device=d.device)
    radius = torch.rand((len(d), 1, 1, 1), generator=generator, dtype=d.dtype, device=d.device)
    return direction / _length(direction) * radius ** (1 / d[0].numel())


def _in_cube(d: Tensor, generator: Generator) -> Tensor:
    return 2 * torch.rand(d.shape, generator=generator, dtype=d.dtype, device=d.device) - 1


NORMS = {
    "linf": Norm(
        torch.sign, lambda d, epsilon: d.clamp(-epsilon, epsilon), _in_cube, lambda d: d.abs().amax((1, 2, 3))
    ),
    "l2": Norm(
        lambda d: d / _length(d), lambda d, epsilon: d * (epsilon / _length(d)).clamp_max(1), _in_l2_ball,
        lambda d: d.flatten(1).norm(dim=1),
    ),
}


def pgd(
    model: nn.Module, x: Tensor, target: Tensor, *, norm: str, epsilon: float | Tensor, iterations: int = 20,
    generator: Generator,
) -> Tensor:
    """Projected gradient descent (Madry et al. 2018): images (N, C, H, W) in [0, 1], within `epsilon`, one
    number or one for each image (N,), of x in the norm "linf" or "l2", on which the loss of `target` is high.

    Random start inside the ball; steps of 2.5 ε / iterations, so that any point of it can be reached; the
    last point is returned. A model in training mode stays there: its batch norms see the attack's points
    too. `ValueError` for another norm, ε ≤ 0, no iterations, or x outside [0, 1].
    """
    x, epsilon = _checked(x, norm, epsilon)
    if iterations < 1:
        raise ValueError(f"iterations {iterations} must be positive")
    adversarial = (x + epsilon * NORMS[norm].start(x, generator)).clamp(0, 1)
    for _ in range(iterations):
        adversarial = _uphill(
            model, x, adversarial, target, norm=norm, epsilon=epsilon, size=2.5 * epsilon / iterations
        )
    return adversarial


def fgsm(model: nn.Module, x: Tensor, target: Tensor, *, norm: str, epsilon: float | Tensor) -> Tensor:
    """The fast gradient sign method (Goodfellow et al. 2015): one step of `pgd`, from x itself and of the
    whole length ε; in l2 along the gradient. Arguments, images and errors as there."""
    x, epsilon = _checked(x, norm, epsilon)
    return _uphill(model, x, x, target, norm=norm, epsilon=epsilon, size=epsilon)


def _checked(x: Tensor, norm: str, epsilon: float | Tensor) -> tuple[Tensor, float | Tensor]:
    if norm not in NORMS:
        raise ValueError(f"no norm {norm!r}; there are {', '.join(NORMS)}")
    if not (torch.as_tensor(epsilon) > 0).all():
        raise ValueError(f"epsilon {epsilon} must be positive")
    if not (x.min() >= 0 and x.max() <= 1):
        raise ValueError("x must lie in [0, 1] and hold no NaN; normalisation belongs into the model")
    return x.detach(), epsilon.view(-1, 1, 1, 1) if isinstance(epsilon, Tensor) else epsilon


def _uphill(
    model: nn.Module, x: Tensor, point: Tensor, target: Tensor, *, norm: str, epsilon: float | Tensor,
    size: float | Tensor,
) -> Tensor:
    """`point` after one step of `size` up the loss, and back into the ball around x and into [0, 1]."""
    _, gradient = loss_and_gradient(model, point, target)
    moved = point + size * NORMS[norm].steepest(gradient)
    return (x + NORMS[norm].project(moved - x, epsilon)).clamp(0, 1)


def smallest_perturbation(
    model: nn.Module, x: Tensor, target: Tensor, *, norm: str, largest: float, halvings: int = 8,
    iterations: int = 20, generator: Generator,
) -> Tensor:
    """An upper bound (N,) of the distance to the decision boundary inside [0, 1]: the size of the smallest
    change after which the model no longer says `target`, by bisection of the radius of `pgd`.

    0 where it does not say it at x; inf where no attack up to the radius `largest` succeeds.
    """
    found = []
    for part, classes in zip(x.split(chunk_size(x)), target.split(chunk_size(x)), strict=True):
        best = torch.where(logits(model, part).argmax(1) == classes, torch.inf, 0.0).to(x)
        low, high = torch.zeros_like(best), torch.full_like(best, largest)
        for step in range(halvings + 1):
            radius = (low + high) / 2 if step else high  # first of all the whole ball
            worst = pgd(
                model, part, classes, norm=norm, epsilon=radius, iterations=iterations, generator=generator
            )
            fooled, size = logits(model, worst).argmax(1) != classes, NORMS[norm].size(worst - part)
            best = torch.where(fooled, best.minimum(size), best)
            low, high = torch.where(fooled, low, radius), torch.where(fooled, radius.minimum(size), high)
        found.append(best)
    return torch.cat(found)


def hop_skip_jump(
    model: nn.Module, x: Tensor, target: Tensor, *, start: Tensor, norm: str, iterations: int = 12,
    samples: int = 40, generator: Generator,
) -> Tensor:
    """A decision-based attack, blind to scores and gradients (HopSkipJump, Chen et al. 2020): images near x
    that the model does not call `target`, from the images `start` (N, C, H, W), which it does not either.

    On the boundary `samples` random directions vote for the way across; a step along it, halved until it
    does not lead back, then to the boundary again. `ValueError` for a start that is called `target`.
    """
    x, _ = _checked(x, norm, 1.0)

    def across(y: Tensor) -> Tensor:
        return logits(model, y).argmax(1) != target

    if not across(start).all():
        raise ValueError("the model must call no start image by its target: take images of other classes")
    best = point = _to_boundary(across, x, start, norm=norm)
    for iteration in range(1, iterations + 1):
        distance = NORMS[norm].size(point - x).view(-1, 1, 1, 1)
        vote = _vote(across, point, 0.01 * distance, samples=samples, generator=generator)
        step = distance / iteration**0.5 * NORMS[norm].steepest(vote)
        for _ in range(10):
            moved = (point + step).clamp(0, 1)
            outside = across(moved).view(-1, 1, 1, 1)
            step = step.where(outside, step / 2)
        point = _to_boundary(across, x, moved.where(outside, point), norm=norm)
        nearer = NORMS[norm].size(point - x) < NORMS[norm].size(best - x)
        best = point.where(nearer.view(-1, 1, 1, 1), best)
    return best


def _to_boundary(across: Callable[[Tensor], Tensor], x: Tensor, point: Tensor, *, norm: str) -> Tensor:
    """The point of smallest radius, by bisection, whose projection is still across the boundary."""
    high = NORMS[norm].size(point - x).view(-1, 1, 1, 1)
    low, best = torch.zeros_like(high), point
    for _ in range(12):
        middle = (low + high) / 2
        nearer = (x + NORMS[norm].project(point - x, middle)).clamp(0, 1)
        outside = across(nearer).view(-1, 1, 1, 1)
        best, low, high = nearer.where(outside, best), low.where(outside, middle), middle.where(outside, high)
    return best


def _vote(
    across: Callable[[Tensor], Tensor], point: Tensor, size: Tensor, *, samples: int, generator: Generator
) -> Tensor:
    """Mean of random directions, those that lead across less those that lead back."""
    sums, weighted, signs = torch.zeros_like(point), torch.zeros_like(point), point.new_zeros(len(point))
    for _ in range(samples):
        u = torch.randn(point.shape, generator=generator, dtype=point.dtype, device=point.device)
        u = u / _length(u)
        sign = 2.0 * across((point + size * u).clamp(0, 1)).to(point) - 1
        sums, weighted, signs = sums + u, weighted + sign.view(-1, 1, 1, 1) * u, signs + sign
    mean = (signs / samples).view(-1, 1, 1, 1)
    return torch.where(mean.abs() < 1, weighted - mean * sums, weighted)
