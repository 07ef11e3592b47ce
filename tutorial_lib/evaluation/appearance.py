"""What a map looks like, whatever it is worth."""
from torch import Tensor


def roughness(heat: Tensor) -> Tensor:
    """Total variation per pixel of the absolute map, scaled to a mean of 1: the mean difference of
    neighbours, along rows and columns.  (N, H, W) -> (N,)"""
    heat = heat.abs() / heat.abs().mean((1, 2), keepdim=True)
    return (heat.diff(dim=1).abs().mean((1, 2)) + heat.diff(dim=2).abs().mean((1, 2))) / 2


def gini(heat: Tensor) -> Tensor:
    """Gini index of the absolute values: 0 for an even map, near 1 if a few pixels have it all.
    (N, H, W) -> (N,)"""
    values = heat.abs().flatten(1).sort(1).values
    ranks = 2 * (values.new_ones(values.shape[1]).cumsum(0) - 0.5) / values.shape[1] - 1
    return (values * ranks).sum(1) / values.sum(1)
