"""Where a map lies: its share on a set of pixels, and its largest value (paper §4.1)."""
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def mass_share(heat: Tensor, pixels: Tensor) -> Tensor:
    """Share of each map's absolute values that lies on `pixels`.  maps (N, H, W), mask (N, H, W) -> (N,)

    NaN for a map that is 0 everywhere. A map without any relation to the pixels gets their area share.
    """
    heat = heat.abs()
    return (heat * pixels).flatten(1).sum(1) / heat.flatten(1).sum(1)


def peak_hits(heat: Tensor, pixels: Tensor) -> Tensor:
    """True where a map's largest absolute value lies on `pixels`; their mean is the pointing game.
    maps (N, H, W), mask (N, H, W) -> (N,)"""
    peak = heat.abs().flatten(1).argmax(1, keepdim=True)
    return pixels.flatten(1).gather(1, peak).squeeze(1).bool()


def rank_accuracy(heat: Tensor, pixels: Tensor) -> Tensor:
    """Share of the K highest pixels of each map that lie on the mask of K pixels; equal values share
    their places evenly.  maps (N, H, W), mask (N, H, W) -> (N,)"""
    heat, pixels = heat.flatten(1), pixels.flatten(1)
    k = pixels.sum(1, keepdim=True)
    last = heat.sort(1, descending=True).values.gather(1, k - 1)
    above, level = heat > last, heat == last
    share = (level & pixels).sum(1) / level.sum(1)
    hits = (above & pixels).sum(1) + (k[:, 0] - above.sum(1)) * share
    return hits / k[:, 0]


def dilated(pixels: Tensor, *, by: int = 2) -> Tensor:
    """The mask (N, H, W) widened by `by` pixels on each side, corners included."""
    return max_pool2d(pixels[:, None].to(torch.float32), 2 * by + 1, 1, by)[:, 0] > 0
