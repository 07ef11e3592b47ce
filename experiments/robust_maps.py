"""Recorded result: what robust training and width change (C02, C106, C110).

python -m experiments.robust_maps --out data/results
"""

from pathlib import Path

from experiments.measures.robust_twins import robust_twins
from experiments.measures.two_norms import two_norms
from experiments.measures.widths import widths
from experiments.runner import Quantity, command_line


def quantities(parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "twins fashion": robust_twins("fashion"), "twins shapes": robust_twins("shapes"),
        "widths": widths(parts), "two norms": two_norms(parts),
    }


if __name__ == "__main__":
    command_line("robust_maps", quantities)
