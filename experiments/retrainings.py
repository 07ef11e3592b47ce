"""Recorded result: remove and retrain (C84, C85, C144).

python -m experiments.retrainings --out data/results
"""

from pathlib import Path

from experiments.measures.retrainings import retrainings
from experiments.measures.roar import cost
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {"roar": retrainings(), "cost": cost()}


if __name__ == "__main__":
    command_line("retrainings", quantities)
