"""Recorded result: the columns of Table 2 that need no images (C40 to C74 without fidelity).

python -m experiments.table_2 --out data/results
"""

from pathlib import Path

from experiments.measures.table_2 import requirements
from experiments.runner import Quantity, command_line
from tutorial_lib.notebook.table2_methods import table_methods


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {name: requirements(name, method) for name, method in table_methods().items()}


if __name__ == "__main__":
    command_line("table_2", quantities)
