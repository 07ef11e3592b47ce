"""Where a map lies: its share on a set of pixels, and its largest value (paper §4.1).

`ValueError`, from each measure: a map with NaN, a mask of another shape, a mask without pixels.
"""
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from tutorial_lib.evaluation.agreement import in_top


def mass_share(heat: Tensor, pixels: Tensor) -> Tensor:
    """Share of each map's absolute values that lies on `pixels`.  maps (N, H, W), mask (N, H, W) -> (N,)

    NaN for a map that is 0 everywhere. A map without any relation to the pixels gets their area share.
    """
    _check(heat, pixels)
    heat = heat.abs()
    return (heat * pixels).flatten(1).sum(1) / heat.flatten(1).sum(1)


def peak_hits(heat: Tensor, pixels: Tensor) -> Tensor:
    """True where a map's largest absolute value, the first of equal ones, lies on `pixels`; their mean is
    the pointing game.  maps (N, H, W), mask (N, H, W) -> (N,)"""
    _check(heat, pixels)
    peak = heat.abs().flatten(1).argmax(1, keepdim=True)
    return pixels.flatten(1).gather(1, peak).squeeze(1).bool()


def rank_accuracy(heat: Tensor, pixels: Tensor) -> Tensor:
    """Share of the K highest pixels of each map, signs kept, that lie on the mask of K pixels; equal values
    share their places evenly, so a constant map gets the area share.  maps (N, H, W), mask (N, H, W) -> (N,)
    """
    _check(heat, pixels)
    k = pixels.flatten(1).sum(1)
    return (in_top(heat.flatten(1), k=k) * pixels.flatten(1)).sum(1) / k


def _check(heat: Tensor, pixels: Tensor) -> None:
    if heat.shape != pixels.shape:
        raise ValueError(f"maps of shape {tuple(heat.shape)} and masks of shape {tuple(pixels.shape)}")
    if heat.isnan().any():
        raise ValueError("a map has NaN: it lies nowhere")
    if not pixels.flatten(1).any(1).all():
        empty = (~pixels.flatten(1).any(1)).nonzero()[:, 0].tolist()
        raise ValueError(f"the masks of the images {empty} have no pixel: leave these images out")


def dilated(pixels: Tensor, *, by: int = 2) -> Tensor:
    """The mask (N, H, W) widened by `by` pixels on each side, corners included."""
    return max_pool2d(pixels[:, None].to(torch.float32), 2 * by + 1, 1, by)[:, 0] > 0
