"""Recorded result: hits and false alarms of `explain_report` (chapter 16).

python -m experiments.reports --out data/results
"""

from pathlib import Path

from experiments.measures.reported import reports
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {"reports": reports()}


if __name__ == "__main__":
    command_line("reports", quantities)
