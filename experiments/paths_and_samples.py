"""Recorded result: points on a path, samples, settings, baselines, units
(C25, C100, C101, C115 to C117, C151).

python -m experiments.paths_and_samples --out data/results
"""

from pathlib import Path

from experiments.measures.baselines import baselines
from experiments.measures.black_shapes import black_shapes
from experiments.measures.completeness import gaps, photograph_gaps
from experiments.measures.costs import costs
from experiments.measures.patches import pooling
from experiments.measures.photograph_baselines import photograph_baselines
from experiments.measures.settings import settings
from experiments.measures.six_baselines import six_baselines
from experiments.measures.wired_baselines import wired_baselines
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "completeness fashion": gaps("fashion"),
        "completeness shapes": gaps("shapes"),
        "completeness photographs": photograph_gaps(),
        "settings fashion": settings("fashion"), "settings shapes": settings("shapes"),
        "black shapes": black_shapes(),
        "costs fashion": costs("fashion"), "costs shapes": costs("shapes"),
        "baselines fashion": baselines("fashion"), "baselines shapes": baselines("shapes"),
        "baselines photographs": photograph_baselines(),
        "six baselines fashion": six_baselines("fashion"), "six baselines shapes": six_baselines("shapes"),
        "six baselines wired": wired_baselines(),
        "patches fashion": pooling("fashion"), "patches shapes": pooling("shapes"),
    }


if __name__ == "__main__":
    command_line("paths_and_samples", quantities)
