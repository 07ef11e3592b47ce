"""How alike two maps are."""
import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor


def rank_correlations(first: Tensor, second: Tensor, *, where: Tensor | None = None) -> Tensor:
    """Spearman's rank correlation of the absolute values of two stacks of maps, mean ranks for ties;
    of the pixels in `where` if given.  maps (N, ...), mask (N, ...) -> (N,), NaN for a constant map."""
    if first.shape != second.shape:
        raise ValueError(f"maps of shape {tuple(first.shape)} and {tuple(second.shape)} do not compare")
    a, b = (_ranks(maps.abs().flatten(1), where) for maps in (first, second))
    a, b = (ranks - ranks.nanmean(1, keepdim=True) for ranks in (a, b))
    return (a * b).nansum(1) / (a.square().nansum(1) * b.square().nansum(1)).sqrt()


def _ranks(values: Tensor, where: Tensor | None) -> Tensor:
    if where is not None:
        values = values.masked_fill(~where.flatten(1), torch.nan)
    return torch.from_numpy(rankdata(values.numpy().astype(np.float64), axis=1, nan_policy="omit"))


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """The same for one pair of maps of any shape: 1 for the same order of the pixels, 0 for no relation."""
    return rank_correlations(first[None], second[None]).item()
