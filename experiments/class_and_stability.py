"""Recorded result: stability of the maps, what smoothing does to it, and what the class does
(C03, C94, C98, C99, C114, C146, C150, C152).

python -m experiments.class_and_stability --out data/results
"""

from pathlib import Path

from experiments.measures.classes import classes
from experiments.measures.forced_class import forced_class
from experiments.measures.preference import preference
from experiments.measures.smoothing import smoothing
from experiments.measures.stability import stability
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "stability fashion": stability("fashion"), "stability shapes": stability("shapes"),
        "smoothing fashion": smoothing("fashion"), "smoothing shapes": smoothing("shapes"),
        "classes fashion": classes("fashion"), "classes shapes": classes("shapes"),
        "forced class fashion": forced_class("fashion"), "forced class shapes": forced_class("shapes"),
        "gradients and perturbations": preference(),
    }


if __name__ == "__main__":
    command_line("class_and_stability", quantities)
