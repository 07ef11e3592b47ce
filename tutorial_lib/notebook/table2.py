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

_COLUMNS = {
    "implementation invariance": ("implementation_invariance", implementation_invariance),
    "input invariance": ("input_invariance", input_invariance),
    "saturation": ("saturation", saturation),
    "sensitivity": ("sensitivity", sensitivity),
}


def row(method: Callable, *, instances: int = 100, seed: int = 7) -> dict[str, str]:
    """Yes, No, Depends or undecided for each column, and for the three parts of sensitivity; `baseline`
    and `layer` of the method must be left open. `instances` random networks and images to a column."""
    found = {}
    for title, (column, measure) in _COLUMNS.items():
        options = {} if column == "saturation" else {
            "instances": instances, "generator": torch.Generator().manual_seed(seed)
        }
        measured = {name: exact(value, n=instances) for name, value in measure(method, **options).items()}
        item = next(i for i in all_claims().values() if i.get("column") == column)
        found[title] = cell_of(item["cell"], measured)
        for part, branches in item.get("sub_results", {}).items():
            found["· " + part.replace("_", " ")] = cell_of(branches, measured)
    return found


def show_row(name: str, method: Callable, **options) -> None:
    """Print the row of one method."""
    print(f"{name}: " + ", ".join(f"{title} {cell}" for title, cell in row(method, **options).items()))
