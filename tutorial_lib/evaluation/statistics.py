"""Measured quantities with their uncertainty (the book's protocol, section 3)."""
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.stats import binomtest, t
from torch import Tensor


@dataclass(frozen=True)
class Interval:
    """A measured `value` with the ends `lo` and `hi` of its interval, the sample size `n` and the
    confidence `level`, None for an exact quantity."""

    value: float
    lo: float
    hi: float
    n: int
    level: float | None = None

    def __post_init__(self):
        if not self.lo <= self.value <= self.hi or self.n < 1:
            raise ValueError(f"an interval needs lo ≤ value ≤ hi and n ≥ 1, not {self}")

    def mapped(self, function: Callable[[float], float]) -> "Interval":
        """The interval of an increasing `function` of the quantity: `math.exp` for a mean of logarithms."""
        return Interval(*(function(end) for end in (self.value, self.lo, self.hi)), self.n, self.level)


def exact(value: float, *, n: int) -> Interval:
    """A deterministic quantity, the worst of `n` instances: an interval of width zero."""
    return Interval(float(value), float(value), float(value), n)


def wilson(successes: int, *, n: int, level: float = 0.95) -> Interval:
    """A share with Wilson's score interval (Wilson 1927); `ValueError` unless 0 ≤ successes ≤ n."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is no share; 0 ≤ successes ≤ n and n ≥ 1 are needed")
    ends = binomtest(successes, n).proportion_ci(level, method="wilson")
    share = successes / n
    return Interval(share, min(ends.low, share), max(ends.high, share), n, level)


def image_mean(values: Tensor) -> Tensor:
    """(seeds, images) -> (seeds,); images that are NaN are left out."""
    return values.nanmean(1)


def crossed(
    values: Tensor, *, level: float, generator: torch.Generator,
    statistic: Callable[[Tensor], Tensor] = image_mean,
) -> Interval:
    """Mean over training seeds with its interval, d ± t(S - 1) · √(s²/S + v).  (seeds, images, ...)

    Every seed has seen the same images, so both vary the result: s² is the variance between the seeds'
    `statistic`, v the variance of its mean over 1,000 draws of the images. `ValueError` for one seed.
    """
    seeds, images = values.shape[:2]
    if seeds < 2 or images < 2:
        raise ValueError(f"{seeds} seeds and {images} images; an interval needs at least two of each")
    draws = torch.randint(images, (1000, images), generator=generator)
    v = torch.stack([statistic(values[:, draw]).mean() for draw in draws]).var()
    each = statistic(values)
    reach = float(t.ppf((1 + level) / 2, seeds - 1)) * (each.var() / seeds + v).sqrt().item()
    middle, n = each.mean().item(), int(values.reshape(seeds, images, -1).isfinite().all(2).sum())
    return Interval(middle, middle - reach, middle + reach, n, level)


def on_the_scale(
    likeness: Tensor, floor: Tensor, ceiling: Tensor, *, level: float, generator: torch.Generator
) -> Interval:
    """e = (m - floor) / (ceiling - floor) of mean likenesses, each (seeds, images): 0 as alike as the
    floor, 1 as alike as the ceiling. Unbounded if the two are less than 0.1 apart (protocol, section 4)."""
    def position(values: Tensor) -> Tensor:
        m, low, high = values.nanmean(1).unbind(-1)
        return (m - low) / (high - low)

    values = torch.stack([likeness, floor, ceiling], -1)
    e = crossed(values, level=level, generator=generator, statistic=position)
    if (ceiling.nanmean() - floor.nanmean()).item() < 0.1:
        return Interval(e.value, -math.inf, math.inf, e.n, level)
    return e


def variance_shares(table: Tensor) -> Tensor:
    """Shares of a table's variance that its rows, its columns and the rest explain: the unbiased components
    of a two-way layout, each at least 0, over their sum.  (..., n, m) -> (3, ...)

    `ValueError` for a table smaller than 2 × 2, or if all its entries are equal.
    """
    components = torch.stack(_components(table)).clamp(min=0)
    return components / components.sum(0)


def row_share(table: Tensor) -> float:
    """Share of a table's variance that its rows explain, by the unbiased components of a two-way
    layout: rows / (rows + columns + rest); about 0 for noise.  (rows, columns), at least 2 × 2 -> number

    Unlike in `variance_shares`, a negative component of the columns stays in the sum. `ValueError` if all
    entries are equal: there is no variance to explain.
    """
    by_row, by_column, rest = _components(table)
    return (by_row / (by_row + by_column + rest)).clamp(0, 1).item()


def _components(table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    table = table.double()
    n, m = table.shape[-2:]
    if min(n, m) < 2:
        raise ValueError(f"a table of {n} × {m} has no variance components; it needs two rows and columns")
    if (table.amax((-2, -1)) == table.amin((-2, -1))).any():
        raise ValueError("all entries of the table are equal: there is no variance to explain")
    rows, columns = table.mean(-1), table.mean(-2)
    both = rows[..., :, None] + columns[..., None, :] - table.mean((-2, -1))[..., None, None]
    rest = (table - both).square().sum((-2, -1)) / ((n - 1) * (m - 1))
    return rows.var(-1) - rest / m, columns.var(-1) - rest / n, rest
