"""Recorded result: maps of networks whose parameters, or whose labels, are random (C76, C95, C96, C148).

python -m experiments.randomisation --out data/results
"""

from pathlib import Path

from experiments.measures.permutation import permuted
from experiments.measures.randomisation import randomised_networks
from experiments.measures.wired import wired
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "permuted": permuted(), "fashion": randomised_networks("fashion"),
        "shapes": randomised_networks("shapes"), "wired": wired(),
    }


if __name__ == "__main__":
    command_line("randomisation", quantities)
