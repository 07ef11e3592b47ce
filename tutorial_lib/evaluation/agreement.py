"""How alike two maps are: their order, their highest values, their structure; how alike raters rank."""
import numpy as np
import torch
from scipy.stats import rankdata
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor


def mean_ranks(values: Tensor) -> Tensor:
    """Ranks along the last dimension, from 1 for the lowest, mean ranks for ties.  (..., n) -> (..., n)

    All NaN where a row has NaN.
    """
    return _ranks(values, "average")


def _ranks(values: Tensor, ties: str) -> Tensor:
    ranks = rankdata(values.numpy(force=True), method=ties, axis=-1)
    return torch.from_numpy(ranks).to(values.device, torch.float64)


def rank_correlations(first: Tensor, second: Tensor, *, where: Tensor | None = None) -> Tensor:
    """Spearman's rank correlation of the absolute values of two stacks of maps, mean ranks for ties;
    of the pixels in `where` if given.  maps (N, ...), mask (N, ...) -> (N,); second (M, N, ...) -> (M, N)

    NaN for a map that is constant or not finite there; `ValueError` for maps of unlike shapes.
    """
    return signed_rank_correlations(first.abs(), second.abs(), where=where)


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """The same for one pair of maps of any shape: 1 for the same order of the pixels, 0 for no relation."""
    return rank_correlations(first[None], second[None]).item()


def signed_rank_correlations(first: Tensor, second: Tensor, *, where: Tensor | None = None) -> Tensor:
    """`rank_correlations` of the values with their signs: a map and its negative have -1."""
    many = second if second.ndim > first.ndim else second[None]
    _flat(first, many[0])
    outside = torch.zeros_like(first, dtype=torch.bool) if where is None else ~where
    outside, ranks = outside.flatten(1), _centred_ranks(first.flatten(1), outside.flatten(1))
    found = torch.stack([_cosines(ranks, _centred_ranks(maps.flatten(1), outside)) for maps in many])
    return found if many is second else found[0]


def _centred_ranks(values: Tensor, outside: Tensor) -> Tensor:
    """Ranks, less their mean, of the values that are not `outside`, where 0 stands."""
    finite = values.double().masked_fill(~values.isfinite(), torch.nan)
    ranks = mean_ranks(finite.masked_fill(outside, torch.inf))
    return (ranks - ((~outside).sum(1, keepdim=True) + 1) / 2).masked_fill(outside, 0)


def _flat(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    if first.shape != second.shape:
        raise ValueError(f"maps of shape {tuple(first.shape)} and {tuple(second.shape)} do not compare")
    return first.flatten(1), second.flatten(1)


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()


def in_top(values: Tensor, *, k: int | Tensor) -> Tensor:
    """1 for the `k` highest values of each row, 0 for the others; equal values share the places that are
    left for them evenly.  values (N, P), k a number or (N,) -> (N, P), each row sums to k

    `ValueError` unless 1 ≤ k ≤ P.
    """
    k = _column(k, values)
    last = values.sort(1, descending=True).values.gather(1, k - 1)
    above, level = values > last, values == last
    left = (k - above.sum(1, keepdim=True)) / level.sum(1, keepdim=True)
    return (above + level * left).masked_fill(values.isnan().any(1, keepdim=True), torch.nan)


def _column(k: int | Tensor, values: Tensor) -> Tensor:
    k = torch.as_tensor(k, device=values.device).reshape(-1, 1)
    if k.min() < 1 or k.max() > values.shape[1]:
        raise ValueError(f"k must be 1 to {values.shape[1]}, the pixels of a map, not {k[:, 0].tolist()}")
    return k.expand(len(values), 1)


def top_overlap(first: Tensor, second: Tensor, *, k: int | Tensor) -> Tensor:
    """Share of the `k` highest absolute values that two maps have in common: feature agreement (Krishna et
    al. 2022).  maps (N, ...), k a number or (N,) -> (N,)

    Where the k-th value is tied it is the expected share, each map drawing its own lots; so such a map
    does not fully agree with itself. NaN for a map with NaN; `ValueError` unless 1 ≤ k ≤ pixels.
    """
    return _share(_both_in_top(first, second, k), k)


def sign_agreement(first: Tensor, second: Tensor, *, k: int | Tensor) -> Tensor:
    """`top_overlap` of the pixels whose signs agree too; 0 agrees with 0 alone (Krishna et al. 2022)."""
    return _share(_both_in_top(first, second, k) * _same_sign(first, second), k)


def rank_agreement(first: Tensor, second: Tensor, *, k: int | Tensor) -> Tensor:
    """`top_overlap` of the pixels that have the same place in both orders (Krishna et al. 2022)."""
    return _share(_same_place(first, second, k), k)


def signed_rank_agreement(first: Tensor, second: Tensor, *, k: int | Tensor) -> Tensor:
    """`top_overlap` of the pixels that have the same place and the same sign (Krishna et al. 2022)."""
    return _share(_same_place(first, second, k) * _same_sign(first, second), k)


def _share(shared: Tensor, k: int | Tensor) -> Tensor:
    return (shared / _column(k, shared)).sum(1)


def _both_in_top(first: Tensor, second: Tensor, k: int | Tensor) -> Tensor:
    a, b = (in_top(values.abs(), k=k) for values in _flat(first, second))
    return a * b


def _same_sign(first: Tensor, second: Tensor) -> Tensor:
    a, b = _flat(first.sign(), second.sign())
    return a == b


def _same_place(first: Tensor, second: Tensor, k: int | Tensor) -> Tensor:
    """Probability that a pixel gets the same place among the k highest when each map draws lots."""
    sizes = [-values.abs() for values in _flat(first, second)]
    starts, ends = ([_ranks(values, ties) for values in sizes] for ties in ("min", "max"))
    common = torch.minimum(*ends).minimum(_column(k, sizes[0])) - torch.maximum(*starts) + 1
    return common.clamp(min=0) / ((ends[0] - starts[0] + 1) * (ends[1] - starts[1] + 1))


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity of absolute maps, each divided by its largest value, with the Gaussian window
    of Wang et al. 2004 (11 × 11, sigma 1.5).  maps (N, H, W) -> (N,)

    NaN for a map that is 0 everywhere or has NaN; `ValueError` for maps smaller than the window.
    """
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    pairs = zip(*_to_one(first, second, smallest=11), strict=True)
    return torch.tensor([structural_similarity(a, b, **wang) for a, b in pairs], dtype=torch.float64)


def hog_similarity(first: Tensor, second: Tensor, *, cell: int) -> Tensor:
    """Pearson's correlation of the histograms of oriented gradients (HOG) of absolute maps, each divided by
    its largest value, in cells of `cell` pixels a side (Adebayo et al. 2018).  maps (N, H, W) -> (N,)

    NaN for a constant map or one with NaN; `ValueError` for maps smaller than 3 × 3 cells.
    """
    features = (
        torch.from_numpy(np.stack([hog(heat, pixels_per_cell=(cell, cell)) for heat in maps]))
        for maps in _to_one(first, second, smallest=3 * cell)
    )
    return _cosines(*(f - f.mean(1, keepdim=True) for f in features))


def _to_one(first: Tensor, second: Tensor, *, smallest: int) -> list[np.ndarray]:
    """The absolute values of both, with 1 for the largest of each map."""
    _flat(first, second)
    if first.ndim != 3 or min(first.shape[1:]) < smallest:
        raise ValueError(f"needed are maps (N, H, W) with sides ≥ {smallest}, not {tuple(first.shape)}")
    heats = (maps.abs().double() for maps in (first, second))
    return [(heat / heat.amax((1, 2), keepdim=True)).numpy(force=True) for heat in heats]


def kendall(first: Tensor, second: Tensor) -> Tensor:
    """Kendall's tau-b of each pair of rows.  (N, items) -> (N,); memory grows with the square of the items.

    NaN where a row is all ties or has NaN; `ValueError` for unlike shapes.
    """
    ranks = [mean_ranks(values) for values in _flat(first, second)]
    return _cosines(*((r[:, :, None] - r[:, None]).sign().flatten(1) for r in ranks))


def kendall_w(ratings: Tensor) -> Tensor:
    """Kendall's coefficient of concordance of complete ratings, corrected for ties: the variance of the mean
    ranks over the mean variance of a rater's ranks; 1 for equal rankings, 1 / raters by chance.
    (..., raters, items) -> (...)

    NaN where a rater is all ties or has NaN; `ValueError` for fewer than two raters or items.
    """
    _check_ratings(ratings)
    ranks = mean_ranks(ratings)
    spread = ranks.var(-1)
    return ranks.mean(-2).var(-1) / spread.masked_fill(spread == 0, torch.nan).mean(-1)


def krippendorff_alpha(ratings: Tensor) -> Tensor:
    """Krippendorff's ordinal alpha of complete ratings: 1 - mean variance between the raters of an item over
    the variance of all, of ranks among all ratings.  (..., raters, items) -> (...)

    `ValueError` for fewer than two raters or items, for NaN, or if all ratings are equal.
    """
    _check_ratings(ratings)
    ranks = mean_ranks(ratings.flatten(-2))
    expected = ranks.var(-1)
    if not (expected > 0).all():
        raise ValueError("alpha is undefined: all ratings are equal, or one is NaN")
    return 1 - ranks.view(ratings.shape).var(-2).mean(-1) / expected


def _check_ratings(ratings: Tensor) -> None:
    if ratings.ndim < 2 or min(ratings.shape[-2:]) < 2:
        raise ValueError(f"ratings of shape {tuple(ratings.shape)}; two raters and two items are needed")
