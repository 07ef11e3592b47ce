"""Recorded result: stability of the maps, and what smoothing does to it (C03, C146).

python -m experiments.class_and_stability --out data/results
"""

from pathlib import Path

from experiments.measures.smoothing import smoothing
from experiments.measures.stability import stability
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "stability fashion": stability("fashion"), "stability shapes": stability("shapes"),
        "smoothing fashion": smoothing("fashion"), "smoothing shapes": smoothing("shapes"),
    }


if __name__ == "__main__":
    command_line("class_and_stability", quantities)
