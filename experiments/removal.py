"""Recorded result: removal curves (the fidelity column of Table 2, C79 to C83, C147), and rankings by five
metrics (C120).

python -m experiments.removal --out data/results
"""

from pathlib import Path

from experiments.measures.consensus import consensus
from experiments.measures.removal import removal
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "fashion": removal("fashion"), "shapes": removal("shapes"),
        "metrics fashion": consensus("fashion"), "metrics shapes": consensus("shapes"),
    }


if __name__ == "__main__":
    command_line("removal", quantities)
