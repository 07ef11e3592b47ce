"""One row of the book's Table 2: a method put to the columns that need no images.

The lines between Yes, No and Depends are those that were registered with the claims; the paper's entries
are not read here.
"""
from collections.abc import Callable

import torch

from tutorial_lib.evaluation.axioms import (
    implementation_invariance,
    input_invariance,
    saturation,
    sensitivity,
)
from tutorial_lib.evaluation.statistics import exact
from tutorial_lib.notebook.claims import all_claims, cell_of

_COLUMNS = {  # the column, and what its quantities vary, in the order of their names' parts
    "implementation invariance": (implementation_invariance, ["place"]),
    "input invariance": (input_invariance, ["baseline", "first layer"]),
    "saturation": (saturation, ["implementation", "layer"]),
    "sensitivity": (sensitivity, []),
}


def row(method: Callable, *, instances: int = 100, seed: int = 7) -> dict[str, str]:
    """Yes, No, Depends (on what) or undecided for each column, and for the three parts of sensitivity;
    `baseline` and `layer` of the method must be left open. `instances` networks and images to a column."""
    found = {}
    for title, (measure, factors) in _COLUMNS.items():
        options = {} if measure is saturation else {
            "instances": instances, "generator": torch.Generator().manual_seed(seed)
        }
        values = measure(method, **options)
        measured = {name: exact(value, n=instances) for name, value in values.items()}
        item = next(i for i in all_claims().values() if i.get("column") == title.replace(" ", "_"))
        found[title] = _with_reason(cell_of(item["cell"], measured), values, factors)
        for part, branches in item.get("sub_results", {}).items():
            cell = cell_of(branches, measured)
            found["· " + part.replace("_", " ")] = "Depends (biases)" if cell == "Depends" else cell
    return found


def _with_reason(cell: str, values: dict[str, float], factors: list[str]) -> str:
    """The cell, and for Depends the factors that alone tell the small quantities from the large ones."""
    if cell != "Depends":
        return cell
    small = {name: value < 0.02 for name, value in values.items()}
    reasons = [
        factor for i, factor in enumerate(factors)
        if len({(name.split("_")[i], flag) for name, flag in small.items()}) == 2
    ]
    return f"Depends ({', '.join(reasons)})" if reasons else cell


def show_row(name: str, method: Callable, **options) -> None:
    """Print the row of one method."""
    print(f"{name}: " + ", ".join(f"{title} {cell}" for title, cell in row(method, **options).items()))
