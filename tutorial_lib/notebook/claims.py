"""The pre-registered claims: a chapter passes measured quantities, the verdict follows from the rule.

`data/claims.yml` was written before the runs that it judges; nothing here accepts a verdict.
"""
import ast
import html
import math
import re
from dataclasses import dataclass
from functools import cache
from numbers import Real

import yaml

from tutorial_lib.datafiles import data_file
from tutorial_lib.evaluation.statistics import Interval

_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.Call, ast.Name, ast.Load, ast.Attribute, ast.Constant,
)
_CALLS = {"min": min, "max": max, "abs": abs}


def is_true(expression: str, measured: dict[str, Interval]) -> bool:
    """Value of a rule's expression over measured quantities; anything but arithmetic is refused."""
    tree = ast.parse(expression, mode="eval")
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ValueError(f"{type(node).__name__} is not allowed in the rule {expression!r}")
        if isinstance(node, ast.Name) and node.id not in {*_CALLS, *measured}:
            raise ValueError(f"{node.id} is not allowed in the rule {expression!r}: nobody measured it")
    return bool(eval(compile(tree, "rule", "eval"), {"__builtins__": {}}, {**_CALLS, **measured}))


def verdict_of(rule: dict, measured: dict[str, Interval]) -> tuple[str, dict[str, str]]:
    """`holds`, `does not hold`, `holds in part` or `undecided`, and the same for each part."""
    parts = {}
    for name, part in rule.get("parts", {"": rule}).items():
        holds, fails = is_true(part["holds"], measured), is_true(part["fails"], measured)
        if holds and fails:
            raise ValueError(f"both branches of the rule {part} are true")
        parts[name] = "holds" if holds else "does not hold" if fails else "undecided"
    found = set(parts.values())
    if "undecided" in found:
        return "undecided", parts
    return found.pop() if len(found) == 1 else "holds in part", parts


def cell_of(branches: dict[str, str], measured: dict[str, Interval]) -> str:
    """`Yes`, `No`, `Depends` or `undecided`: a cell of Table 2, blind to the paper's entry."""
    true = [name for name, expression in branches.items() if is_true(expression, measured)]
    if len(true) > 1:
        raise ValueError(f"several branches are true: {true}")
    return true[0].capitalize() if true else "undecided"


def compared(cell: str, entry: str) -> str:
    """What a measured cell of Table 2 says about the paper's entry (protocol, section 2)."""
    if entry == "?":
        return "paper: not tested"
    if cell in ("undecided", entry):
        return "holds" if cell == entry else "undecided"
    return "holds in part" if "Depends" in (cell, entry) else "does not hold"


@cache
def all_claims() -> dict[str, dict]:
    """Every item of `data/claims.yml` by its id."""
    return {item["id"]: item for item in yaml.safe_load(data_file("claims.yml").read_text("utf8"))}


@dataclass(frozen=True)
class Claim:
    """One item of the ledger; `judge`, `report` or `implemented` turns it into a card."""

    item: dict

    def judge(self, **measured: Interval | float) -> "Card":
        """A card whose outcome is computed from the item's rule and `measured` alone."""
        if "not_testable" in self.item:
            return Card(self.item, {}, "not testable here", {})
        if not {"rule", "cell"} & set(self.item):
            raise ValueError(f"{self.item['id']} has no rule: call report(...) or implemented(...)")
        if set(measured) != set(self.item["measures"]):
            raise ValueError(f"{self.item['id']} needs exactly {', '.join(self.item['measures'])}")
        measured = {name: _quantity(name, value) for name, value in measured.items()}
        self._check_levels(measured)
        if "cell" in self.item:
            return self._beside_the_paper(measured)
        return Card(self.item, measured, *verdict_of(self.item["rule"], measured))

    def _beside_the_paper(self, measured: dict[str, Interval]) -> "Card":
        """The cell first; then the paper's entry is read and compared with it and with its parts."""
        cell = cell_of(self.item["cell"], measured)
        parts = {name: cell_of(each, measured) for name, each in self.item.get("sub_results", {}).items()}
        entry = self.item["paper_entry"]["cell"]
        parts = {name: f"{found} ({compared(found, entry)})" for name, found in parts.items()}
        return Card(self.item, measured, compared(cell, entry), parts, cell)

    def _check_levels(self, measured: dict[str, Interval]) -> None:
        needed = None if self.item["interval"] == "exact" else self.item["interval"] / 100
        for name, q in measured.items():
            if q.lo < q.hi and q.level != needed:
                raise ValueError(f"{self.item['id']} reads intervals of level {needed}; {name} has {q.level}")

    def report(self, **prices: Interval | float) -> "Card":
        """A card for an *ought*: what following it costs and gains, no verdict."""
        if "price" not in self.item:
            raise ValueError(f"{self.item['id']} is not a recommendation")
        return Card(self.item, {k: _quantity(k, v) for k, v in prices.items()}, "priced", {})

    def implemented(self, *, largest_difference: float, tolerance: float) -> "Card":
        """A card for a definition: "implemented" once the oracle agrees within `tolerance`."""
        if "oracle" not in self.item:
            raise ValueError(f"{self.item['id']} is not a definition")
        difference = _quantity("largest_difference", largest_difference)
        if not difference.value <= tolerance:
            raise ValueError(f"{self.item['id']}: the oracle differs by {difference.value} > {tolerance}")
        return Card(self.item, {"difference from the oracle": difference}, "implemented", {})


def _quantity(name: str, value: Interval | float) -> Interval:
    if isinstance(value, Interval):
        if not math.isfinite(value.value) or math.isnan(value.lo) or math.isnan(value.hi):
            raise ValueError(f"{name} is not finite: {value}")
        return value
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number or an Interval, not {value!r}")
    return Interval(float(value), float(value), float(value), 1)


def claim(name: str) -> Claim:
    """The item `name` of the ledger; `ValueError` if there is none."""
    if name not in all_claims():
        raise ValueError(f"no claim {name!r}; the ledger has C01 to {max(all_claims())}")
    return Claim(all_claims()[name])


@dataclass(frozen=True)
class Card:
    """What the reader sees of a judged claim, as text and as HTML."""

    item: dict
    measured: dict[str, Interval]
    outcome: str
    parts: dict[str, str]
    cell: str = ""

    def __repr__(self) -> str:
        head = f"{self.item['id']} · {self.outcome}" + (f" · {self._cells()}" if self.cell else "")
        return " · ".join([head, *(f"{name} = {_in_words(q)}" for name, q in self.measured.items())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(name)}</th><td>{_in_words(q)}</td><td>{_picture(q)}</td></tr>"
            for name, q in self.measured.items()
        )
        table = f"<table>{rows}</table>" if rows else ""
        table = f"<details><summary>what was measured</summary>{table}</details>" if self.cell else table
        parts = "; ".join(f"{name.replace('_', ' ')}: {found}" for name, found in self.parts.items() if name)
        lines = [
            f"<p class='claim-text'>{html.escape(self._sentence())} <span>({self._source()})</span></p>",
            table,
            f"<p><strong>{self._verdict()}</strong>{' — ' + parts if parts else ''}</p>",
            f"<p class='claim-note'>{html.escape(self._note())}</p>" if self._note() else "",
        ]
        kind = re.sub("[^a-z]+", "-", self.outcome.lower())
        return f"<div class='claim claim-{kind}'>{''.join(lines)}</div>"

    def _sentence(self) -> str:
        where = self.item.get("table2", {})
        return f"{where['method']}, {where['requirement']}: {self._cells()}" if where else self.item["claim"]

    def _cells(self) -> str:
        entry = self.item["paper_entry"]
        reason = f" ({entry['on']})" if entry["cell"] == "Depends" else ""
        return f"ours {self.cell}, paper {entry['cell']}{reason}"

    def _verdict(self) -> str:
        disputed = " (the literature disputes the matter)" if self.item.get("contested") else ""
        return html.escape(f"{self.item['id']} · {self.outcome}{disputed}")

    def _source(self) -> str:
        names = {"paper": "the paper", "ours": "this book"}
        return html.escape(f"{names.get(self.item['source'], self.item['source'])}, {self.item['section']}")

    def _note(self) -> str:
        rule = self.item.get("rule")
        change = "" if not rule else "It would change if " + "; ".join(
            f"{name.replace('_', ' ') + ': ' if name else ''}{part['fails' if part_holds else 'holds']}"
            for (name, part), part_holds in zip(
                rule.get("parts", {"": rule}).items(),
                [found == "holds" for found in self.parts.values()], strict=True,
            )
        ) + "."
        exact = self.cell and self.item["interval"] == "exact"
        grounds = "A Yes rests on a proof and a search, a No on a counterexample." if exact else ""
        texts = (self.item.get("not_testable"), self.item.get("note"), grounds, change)
        return " ".join(text for text in texts if text)


def _in_words(q: Interval) -> str:
    if math.isinf(q.lo):
        return f"{q.value:.3g}, too short a scale to bound it, n = {q.n}"
    if q.lo == q.hi:
        return f"{q.value:.3g}" + (f", n = {q.n}" if q.n > 1 else "")
    return f"{q.value:.3g} [{q.lo:.3g}, {q.hi:.3g}], n = {q.n}"


def _picture(q: Interval) -> str:
    """The interval and zero on one line, as a small SVG."""
    reach = max(abs(end) for end in (q.lo, q.hi, 1e-300) if math.isfinite(end))
    lo, mid, hi = (60 + 50 * max(-1, min(1, v / reach)) for v in (q.lo, q.value, q.hi))
    return (
        "<svg width='120' height='14' role='img' aria-label='interval against zero'>"
        "<line x1='60' y1='0' x2='60' y2='14' stroke='gray'/>"
        f"<line x1='{lo:.1f}' y1='7' x2='{hi:.1f}' y2='7' stroke='currentColor' stroke-width='3'/>"
        f"<circle cx='{mid:.1f}' cy='7' r='4' fill='currentColor'/></svg>"
    )
