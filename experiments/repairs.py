"""Recorded result: is the model wrong, or the map? (C75)

python -m experiments.repairs --out data/results
"""

from pathlib import Path

from experiments.measures.errors import errors
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {"model or map": errors()}


if __name__ == "__main__":
    command_line("repairs", quantities)
