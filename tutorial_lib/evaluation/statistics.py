"""Measured quantities with their uncertainty (the book's statistics grow here)."""
from dataclasses import dataclass

from scipy.stats import binomtest
from torch import Tensor


@dataclass(frozen=True)
class Interval:
    """A measured `value` with the ends `lo` and `hi` of its interval and the sample size `n`."""

    value: float
    lo: float
    hi: float
    n: int

    def __post_init__(self):
        if not self.lo <= self.value <= self.hi or self.n < 1:
            raise ValueError(f"an interval needs lo ≤ value ≤ hi and n ≥ 1, not {self}")


def exact(value: float, *, n: int) -> Interval:
    """A deterministic quantity, the worst of `n` instances: an interval of width zero."""
    return Interval(float(value), float(value), float(value), n)


def wilson(successes: int, *, n: int, level: float = 0.95) -> Interval:
    """A share with Wilson's score interval (Wilson 1927); `ValueError` unless 0 ≤ successes ≤ n."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is no share; 0 ≤ successes ≤ n and n ≥ 1 are needed")
    ends = binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, min(ends.low, successes / n), max(ends.high, successes / n), n)


def row_share(table: Tensor) -> float:
    """Share of a table's variance that its rows explain, by the unbiased components of a two-way
    layout: rows / (rows + columns + rest); about 0 for noise.  (rows, columns), at least 2 × 2 -> number

    `ValueError` if all entries are equal: there is no variance to explain.
    """
    table = table.double()
    n, m = table.shape
    rows, columns = table.mean(1), table.mean(0)
    rest = (table - rows[:, None] - columns + table.mean()).square().sum() / ((n - 1) * (m - 1))
    by_row, by_column = rows.var() - rest / m, columns.var() - rest / n
    total = by_row + by_column + rest
    if total <= 0:
        raise ValueError("all entries of the table are equal: there is no variance to explain")
    return (by_row / total).clamp(0, 1).item()
