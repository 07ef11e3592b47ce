"""Recorded result: fifteen networks, five trainings of three strengths (C108, C113).

python -m experiments.ladder_of_models --out data/results
"""

from pathlib import Path

from experiments.measures.coupling import attacked
from experiments.measures.fifteen import fifteen
from experiments.runner import Quantity, command_line


def quantities(parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {"distance": fifteen(parts), "attack": attacked(parts)}


if __name__ == "__main__":
    command_line("ladder_of_models", quantities)
