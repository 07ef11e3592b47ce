"""Recorded result: networks of other kinds (C31, C92, C121).

python -m experiments.other_architectures --out data/results
"""

from pathlib import Path

from experiments.measures.activations import activations
from experiments.measures.own_explanations import own_explanations
from experiments.measures.sensitivity_n import sensitivity_n
from experiments.runner import Quantity, command_line


def quantities(parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    worlds = {f"own explanations {world}": own_explanations(world, parts) for world in ("fashion", "shapes")}
    return {"activations": activations(parts), "sensitivity-n": sensitivity_n(), **worlds}


if __name__ == "__main__":
    command_line("other_architectures", quantities)
