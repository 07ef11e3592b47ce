"""Recorded result: distances of the boundary, and maps under attack, of natural and robust twins (C04, C104).

python -m experiments.attacked_twins --out data/results
"""

from pathlib import Path

from experiments.measures.attacked_maps import CHEAP, COSTLY, attacked, twins
from experiments.measures.distances import distances
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    worlds = ("fashion", "shapes")
    return {
        **{f"distance {world}": distances(world) for world in worlds},
        **{f"maps {world}": attacked(world, CHEAP) for world in worlds},
        "maps fashion, twins": twins("fashion"),
        "costly maps fashion": attacked("fashion", COSTLY),
    }


if __name__ == "__main__":
    command_line("attacked_twins", quantities)
