"""What a map looks like, whatever it is worth."""
import torch
from torch import Tensor


def roughness(heat: Tensor, *, where: Tensor | None = None) -> Tensor:
    """Total variation per pixel of the absolute map, scaled to a mean of 1: the mean difference of
    neighbours, along rows and columns; of the pixels in `where`, and of neighbours that are both in it,
    if given.  maps (N, H, W), mask (N, H, W) -> (N,)"""
    heat = heat.abs()
    inside = torch.ones_like(heat) if where is None else where.to(heat)
    down = _mean(heat.diff(dim=1).abs(), inside[:, 1:] * inside[:, :-1])
    across = _mean(heat.diff(dim=2).abs(), inside[:, :, 1:] * inside[:, :, :-1])
    return (down + across) / 2 / _mean(heat, inside)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum((1, 2)) / weights.sum((1, 2))


def gini(heat: Tensor) -> Tensor:
    """Gini index of the absolute values: 0 for an even map, near 1 if a few pixels have it all.
    (N, H, W) -> (N,)"""
    values = heat.abs().flatten(1).sort(1).values
    ranks = 2 * (values.new_ones(values.shape[1]).cumsum(0) - 0.5) / values.shape[1] - 1
    return (values * ranks).sum(1) / values.sum(1)
