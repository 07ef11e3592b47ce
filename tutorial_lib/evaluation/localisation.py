"""Where a map lies: its share on a set of pixels, and its largest value (paper §4.1)."""
from torch import Tensor


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
