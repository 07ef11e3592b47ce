"""Recorded result: maps of known quality, and how metrics order them (C159).

python -m experiments.ladder --out data/results
"""

from pathlib import Path

from experiments.measures.ladder import ladder
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {"trained": ladder("trained"), "wired": ladder("wired")}


if __name__ == "__main__":
    command_line("ladder", quantities)
