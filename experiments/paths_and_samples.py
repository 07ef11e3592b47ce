"""Recorded result: points on a path, samples, settings and baselines (C25, C100, C101).

python -m experiments.paths_and_samples --out data/results
"""

from pathlib import Path

from experiments.measures.black_shapes import black_shapes
from experiments.measures.completeness import gaps, photograph_gaps
from experiments.measures.settings import settings
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "completeness fashion": gaps("fashion"),
        "completeness shapes": gaps("shapes"),
        "completeness photographs": photograph_gaps(),
        "settings fashion": settings("fashion"), "settings shapes": settings("shapes"),
        "black shapes": black_shapes(),
    }


if __name__ == "__main__":
    command_line("paths_and_samples", quantities)
