"""From colour entries to pixels: one number per pixel for display and for pixel metrics.

Signed maps are summed over colour, which keeps their total (completeness survives); absolute maps
take the largest channel (Simonyan et al. 2014). The two are never mixed inside one metric.
"""
from torch import Tensor


def sum_over_colour(attribution: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W), for signed maps."""
    return attribution.sum(1)


def max_over_colour(attribution: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W), for maps of absolute values."""
    return attribution.amax(1)
