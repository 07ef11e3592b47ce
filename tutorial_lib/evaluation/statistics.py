"""Measured quantities with their uncertainty (the book's statistics grow here)."""
from dataclasses import dataclass


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
