"""An interval as a result file holds it."""

import torch
from torch import Tensor

from tutorial_lib.evaluation.statistics import Interval


def interval(q: Interval) -> Tensor:
    """Lower end, value, upper end, and the number of observations; null for an end that is infinite."""
    ends = torch.tensor([q.lo, q.value, q.hi, q.n], dtype=torch.float64)
    return ends.where(ends.isfinite(), torch.nan)
