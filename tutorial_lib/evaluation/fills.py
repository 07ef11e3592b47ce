"""What stands where pixels were removed: pure functions (x, removed) -> x (paper §4.1).

`x` are images (N, C, H, W); `removed`, of yes and no, broadcasts to it: (N, 1, H, W) for all colours at once.
What is random in a fill is a tensor that the caller draws once, so that all that is compared sees the same.
"""
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

Fill = Callable[[Tensor, Tensor], Tensor]


def constant(x: Tensor, removed: Tensor, *, value: Tensor) -> Tensor:
    """`value`, in pixel units, which broadcasts to `x`: zeros are black, the mean of the training images is
    grey, `torch.rand(x.shape, …)` is uniform noise, `blurred(x, …)` a blurred image."""
    return torch.where(_mask(x, removed), _content(x, value), x)


def blurred(images: Tensor, *, sigma: float) -> Tensor:
    """Images or maps (..., H, W) after a Gaussian blur with a standard deviation of `sigma` pixels; at the
    border the weights inside add up to 1."""
    if not sigma > 0:
        raise ValueError(f"sigma is a width in pixels and must be positive, not {sigma}")

    def weights(side: int) -> Tensor:
        line = torch.arange(side).to(images)
        bells = torch.exp(-((line[:, None] - line) ** 2) / (2 * sigma**2))
        return bells / bells.sum(1, keepdim=True)

    return weights(images.shape[-2]) @ images @ weights(images.shape[-1]).T


def imputed(x: Tensor, removed: Tensor, *, noise: Tensor, iterations: int = 200) -> Tensor:
    """Noisy linear imputation (Rong et al. 2022): a removed pixel is the mean of its neighbours inside the
    image, direct ones weighing 1/6 and diagonal ones 1/12, plus `noise`, which broadcasts to x.

    The linear system is solved for each colour, from the mean of what is left (0.5 where nothing is), to
    rounding or for `iterations` steps; three times the width of the widest hole is enough.
    """
    removed, noise = _mask(x, removed), _content(x, noise)
    size = max(1, 2**18 // x[0].numel())  # so many numbers stay in a CPU's cache
    parts = zip(x.split(size), removed.split(size), strict=True)
    solution = torch.cat([_neighbour_means(*part, iterations) for part in parts])
    return torch.where(removed, solution + noise, x)


def _neighbour_means(x: Tensor, removed: Tensor, iterations: int) -> Tensor:
    """Σ weight · (pixel - neighbour) = 0 for each removed pixel; a pixel's own weight makes no difference."""
    hole, weights = removed.to(x), _weighted_sums(torch.ones_like(x))
    mean = (x * (1 - hole)).sum((2, 3), keepdim=True) / (1 - hole).sum((2, 3), keepdim=True)
    start = torch.where(removed, mean.nan_to_num(0.5), x)
    return _conjugate_gradients(lambda u: hole * (weights * u - _weighted_sums(u)), start, iterations)


def _weighted_sums(image: Tensor) -> Tensor:
    """Sums over 3 × 3 pixels with weights (1, 2, 1) along rows and columns, nothing beyond the border. Sums
    of slices are several times faster than a convolution here."""
    sums = pad(image, (1, 1, 1, 1))
    for _ in range(2):
        sums = sums[..., 1:] + sums[..., :-1]
        sums = sums[..., 1:, :] + sums[..., :-1, :]
    return sums


def _conjugate_gradients(system: Callable[[Tensor], Tensor], start: Tensor, iterations: int) -> Tensor:
    """The zero of the linear, symmetric `system`, each plane (H, W) by itself (Hestenes & Stiefel 1952)."""
    solution, residual = start, -system(start)
    direction, size = residual, _dot(residual, residual)
    rounding = start[0, 0].numel() * (100 * torch.finfo(start.dtype).eps) ** 2
    for _ in range(iterations):
        unsolved = size > rounding
        if not unsolved.any():
            break
        image = system(direction)
        step = torch.where(unsolved, size / _dot(direction, image), 0)
        solution = torch.addcmul(solution, step, direction)
        residual = torch.addcmul(residual, step, image, value=-1)
        size, before = _dot(residual, residual), size
        direction = torch.addcmul(residual, torch.where(unsolved, size / before, 0), direction)
    return solution


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)


def _mask(x: Tensor, removed: Tensor) -> Tensor:
    if removed.dtype != torch.bool:
        raise ValueError(f"removed has dtype {removed.dtype}; it says yes or no: removed > 0")
    return _expanded(x, removed, "removed", "(N, 1, H, W) removes all colours of a pixel")


def _content(x: Tensor, content: Tensor) -> Tensor:
    if not isinstance(content, Tensor) or not content.isfinite().all():
        raise ValueError("a fill's value or noise is a finite tensor in pixel units: torch.zeros(1) is black")
    return _expanded(x, content.to(x), "the fill's value or noise", "one number per colour is (1, C, 1, 1)")


def _expanded(x: Tensor, tensor: Tensor, name: str, remedy: str) -> Tensor:
    try:
        return tensor.expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"{name} of shape {tuple(tensor.shape)} does not fit x, {tuple(x.shape)}: {remedy}"
        ) from error
