"""Recorded result: is the model wrong, or the map, and two repairs of the model (C38, C75, C134).

python -m experiments.repairs --out data/results
"""

from pathlib import Path

from experiments.measures.errors import errors
from experiments.measures.painted_out import painted_out
from experiments.measures.right_reasons import right_reasons
from experiments.runner import Quantity, command_line


def quantities(parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "model or map": errors(), "painted out": painted_out(parts), "right reasons": right_reasons(parts),
    }


if __name__ == "__main__":
    command_line("repairs", quantities)
