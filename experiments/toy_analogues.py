"""Recorded result: small stand-ins for the experiments of other papers (C132, C133, C135 to C138).

python -m experiments.toy_analogues --out data/results
"""

from pathlib import Path

from experiments.measures import disagreement
from experiments.measures.certified import certified
from experiments.measures.decision_list import lists
from experiments.measures.neuron_labels import neuron_labels
from experiments.measures.swapped_parts import swapped_parts
from experiments.measures.synonym_swaps import swaps
from experiments.measures.top_images import other_top_images
from experiments.runner import Quantity, command_line


def quantities(parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    return {
        "disagreement": disagreement.toy(), "disagreement fashion": disagreement.fashion(),
        "swaps": swaps(), "top images": other_top_images(), "certificates": certified(parts),
        "decision lists": lists(), "neuron labels": neuron_labels(), "swapped parts": swapped_parts(),
    }


if __name__ == "__main__":
    command_line("toy_analogues", quantities)
