"""A measured quantity of a method in words, and what it says of a requirement."""
from collections.abc import Iterable
from typing import NamedTuple

from tutorial_lib.evaluation.statistics import Interval

WORLDS, TOYS = {"fashion": "garments", "shapes": "planted shapes"}, "random networks"
MET, OPEN, NOT = "met", "undecided", "not met"
LINE = 0.5  # the protocol's, on every scale that runs from 0 to 1


class Row(NamedTuple):
    """A measured quantity in words: where, the value with its interval and number, what a random map has in
    its place, and the value for the cheat sheet."""

    where: str
    words: str
    control: str = ""
    short: str = ""


class Finding(NamedTuple):
    """The rows of one property of one method, and what they say of each requirement on it."""

    rows: list[Row]
    verdicts: dict[str, str]


Findings = dict[str, Finding]  # by the method's key


def in_words(q: Interval) -> str:
    """`0.645 [0.558, 0.732], n = 1000`."""
    ends = f" [{q.lo:z.3f}, {q.hi:z.3f}]" if q.lo < q.hi else ""
    return f"{q.value:z.3f}{ends}, n = {q.n}"


def side(intervals: Iterable[Interval], *, below: bool, line: float = LINE) -> str:
    """Met if every interval lies wholly on the wanted side of the line, not met if one lies wholly on the
    other, else undecided."""
    found = [(q.hi < line, q.lo > line) if below else (q.lo > line, q.hi < line) for q in intervals]
    if all(good for good, _ in found):
        return MET
    return NOT if any(bad for _, bad in found) else OPEN


def by_world(found: dict[str, dict[str, Interval]], controls: dict[str, str]) -> dict[str, list[Row]]:
    """Intervals by world and method -> rows by method."""
    rows = {}
    for world, each in found.items():
        for key, q in each.items():
            row = Row(WORLDS[world], in_words(q), controls[world], f"{q.value:z.2f}")
            rows.setdefault(key, []).append(row)
    return rows


def judged(found: dict[str, dict[str, Interval]], controls: dict[str, str], token: str, *,
           below: bool) -> Findings:  # fmt: skip
    """Findings with one requirement, which every world has to meet; a missing world leaves it open."""
    rows, verdicts = by_world(found, controls), {}
    for key in rows:
        measured = [each[key] for each in found.values() if key in each]
        verdict = side(measured, below=below)
        verdicts[key] = OPEN if verdict == MET and len(measured) < len(found) else verdict
    return {key: Finding(rows[key], {token: verdicts[key]}) for key in rows}
