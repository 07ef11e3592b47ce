"""The book's Table 2: a method put to the paper's requirements, and the paper's table (protocol, section 2).

The lines between Yes, No and Depends are those that were registered with the claims. Only `paper_table`
reads the paper's entries.
"""
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch

from tutorial_lib.evaluation.axioms import (
    implementation_invariance,
    input_invariance,
    saturation,
    sensitivity,
)
from tutorial_lib.evaluation.statistics import Interval, exact
from tutorial_lib.notebook.claims import all_claims, cell_of

COLUMNS = {  # the column, and what its quantities vary, in the order of their names' parts
    "implementation invariance": (implementation_invariance, ["place"]),
    "input invariance": (input_invariance, ["baseline", "first layer"]),
    "saturation": (saturation, ["implementation", "layer"]),
    "sensitivity": (sensitivity, []),
}
PAPER_NAMES = {
    "Saliency": "saliency", "GBP": "guided backprop", "SG": "SmoothGrad", "GxI": "Gradient x Input",
    "IG": "IG", "DeepLIFT": "DeepLIFT", "Grad-CAM": "Grad-CAM",
}
FACTORS = ("world", "order", "fill", "control")


def measured(title: str, method: Callable, *, instances: int, seed: int = 7) -> dict[str, Interval]:
    """What a column measures of a method, over `instances` networks and images; the toys of saturation are
    always the same six."""
    measure = COLUMNS[title][0]
    if measure is saturation:
        return {name: exact(value, n=6) for name, value in saturation(method).items()}
    values = measure(method, instances=instances, generator=torch.Generator().manual_seed(seed))
    return {name: exact(value, n=instances) for name, value in values.items()}


def row(method: Callable, *, instances: int = 100, seed: int = 7) -> dict[str, str]:
    """Yes, No, Depends (on what) or undecided for each column, and for the three parts of sensitivity;
    `baseline` and `layer` of the method must be left open. `instances` networks and images to a column."""
    found = {}
    for title in COLUMNS:
        found |= cells(title, measured(title, method, instances=instances, seed=seed))
    return found


def cells(title: str, quantities: dict[str, Interval]) -> dict[str, str]:
    """The cell of a column that follows from its quantities, and those of its parts."""
    item = _item(title)
    found = {title: _with_reason(cell_of(item["cell"], quantities), quantities, COLUMNS[title][1])}
    for part, branches in item.get("sub_results", {}).items():
        cell = cell_of(branches, quantities)
        found["· " + part.replace("_", " ")] = "Depends (biases)" if cell == "Depends" else cell
    return found


class Divided(NamedTuple):
    """A factor of the fidelity column with its best and its worst level: the smallest ends among the gains
    of the one, the largest among those of the other."""

    factor: str
    best: str
    worst: str
    best_level: Interval
    worst_level: Interval


def divide(gains: Mapping[tuple[str, ...], Interval]) -> Divided:
    """The factor for which the smallest lower end of one level lies farthest above (or least below) the
    largest upper end of another. If all gains of one level lie above a line and all of another below it,
    then it is the only factor of which this is true."""
    found = []
    for i, factor in enumerate(FACTORS):
        names = {key[i] for key in gains}
        levels = {name: [q for key, q in gains.items() if key[i] == name] for name in names}
        _, best = max((_ends(min, level).lo, name) for name, level in levels.items())
        _, worst = min((_ends(max, level).hi, name) for name, level in levels.items())
        found.append(Divided(factor, best, worst, _ends(min, levels[best]), _ends(max, levels[worst])))
    return max(found, key=lambda d: d.best_level.lo - d.worst_level.hi)


def fidelity(gains: Mapping[tuple[str, ...], Interval]) -> dict[str, Interval]:
    """What the fidelity column reads of a method's gains, each with its world, order, fill and control."""
    divided = divide(gains)
    return {
        "weakest": _ends(min, gains.values()), "strongest": _ends(max, gains.values()),
        "best_level": divided.best_level, "worst_level": divided.worst_level,
    }


def fidelity_cell(gains: Mapping[tuple[str, ...], Interval]) -> str:
    """The cell of the fidelity column, for Depends with the factor."""
    cell = cell_of(_item("fidelity")["cell"], fidelity(gains))
    return f"Depends ({divide(gains).factor})" if cell == "Depends" else cell


def _ends(extreme: Callable, gains: Iterable[Interval]) -> Interval:
    """The smallest, or the largest, of some intervals' values, of their lower and of their upper ends."""
    gains = list(gains)
    value, lo, hi = (extreme(getattr(q, end) for q in gains) for end in ("value", "lo", "hi"))
    return Interval(value, lo, hi, len(gains), gains[0].level)


def gains_of(values: dict, method: str) -> dict[tuple[str, ...], Interval]:
    """The 32 gains of a method in the recorded result `removal`, by world, order, fill and control."""
    return {
        (world, *key.split(", ")): Interval(table[method][1].item(), *table[method][[0, 2]].tolist(), 5, 0.99)
        for world in ("fashion", "shapes") for key, table in values[world]["gain"].items()
    }


def paper_table() -> dict[str, dict[str, str]]:
    """The paper's Table 2: method, requirement, entry, with what it depends on."""
    found = {name: {} for name in PAPER_NAMES.values()}
    for item in all_claims().values():
        if "table2" in item:
            entry, where = item["paper_entry"], item["table2"]
            reason = f" ({entry['on']})" if entry["cell"] == "Depends" else ""
            found[PAPER_NAMES[where["method"]]][where["requirement"]] = entry["cell"] + reason
    return found


def _item(title: str) -> dict:
    """A claim of the column; all have one rule."""
    return next(i for i in all_claims().values() if i.get("column") == title.replace(" ", "_"))


def _with_reason(cell: str, quantities: dict[str, Interval], factors: list[str]) -> str:
    """The cell, and for Depends the factors that alone tell the small quantities from the large ones."""
    if cell != "Depends":
        return cell
    small = {name: q.value < 0.02 for name, q in quantities.items()}
    reasons = [
        factor for i, factor in enumerate(factors)
        if len({(name.split("_")[i], flag) for name, flag in small.items()}) == 2
    ]
    return f"Depends ({', '.join(reasons)})" if reasons else cell


def show_row(name: str, method: Callable, **options) -> None:
    """Print the row of one method."""
    print(f"{name}: " + ", ".join(f"{title} {cell}" for title, cell in row(method, **options).items()))
