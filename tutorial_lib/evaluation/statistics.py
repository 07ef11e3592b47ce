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
    """A share with Wilson's score interval (Wilson 1927)."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is no share; 0 ≤ successes ≤ n and n ≥ 1 are needed")
    ends = binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, min(ends.low, successes / n), max(ends.high, successes / n), n)


def row_share(table: Tensor) -> float:
    """Share of a table's variance that its rows explain: the variance of the row means over the
    variance of all entries.  (rows, columns) -> number in [0, 1]"""
    table = table.double()
    return (table.mean(1).var(unbiased=False) / table.var(unbiased=False)).item()
