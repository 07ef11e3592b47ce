"""How alike two maps are."""
from scipy.stats import spearmanr
from torch import Tensor


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of the absolute values of two maps of one shape, mean ranks for
    ties: 1 for the same order of the pixels, 0 for no relation; NaN if a map is constant."""
    if first.shape != second.shape:
        raise ValueError(f"maps of shape {tuple(first.shape)} and {tuple(second.shape)} do not compare")
    return float(spearmanr(first.abs().flatten(), second.abs().flatten()).statistic)
