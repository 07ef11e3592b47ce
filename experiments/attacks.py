"""Recorded result: attacks on maps (C102, C103, C154).

python -m experiments.attacks --out data/results
"""

from pathlib import Path

from experiments.measures.alarm import alarm
from experiments.measures.attack_curves import curves, faithfulness, transfer
from experiments.measures.attack_settings import JUDGED, SMOOTHED
from experiments.measures.attacks import inputs_attacked
from experiments.measures.liars import liars
from experiments.runner import Quantity, command_line


def quantities(_parts: Path) -> dict[str, Quantity]:
    """What the file holds, by the name that a chapter reads it with."""
    four, five = {"natural": JUDGED}, {"natural": (*JUDGED, "Gradient x Input")}
    three = dict.fromkeys(("natural", "softplus", "gradient"), JUDGED)
    robust = dict.fromkeys(("linf", "l2"), ("saliency",))
    local, wide = ("saliency", SMOOTHED[0]), SMOOTHED[1]
    return {
        "fashion": inputs_attacked("fashion", five, n=100, claims=["C102"]),
        "fashion, networks": inputs_attacked("fashion", {**three, **robust}, n=50, claims=["C103"]),
        "fashion, maps": inputs_attacked("fashion", {"natural": SMOOTHED}, n=50, claims=["C154"]),
        "shapes": inputs_attacked("shapes", four, n=102, claims=["C102"]),
        "shapes, maps": inputs_attacked("shapes", {"natural": local}, n=54, claims=["C154"]),
        "shapes, curves": curves("shapes", ("natural", "l2"), n=60, levels=(1, 2, 4, 8)),
        "fashion, curves": curves("fashion", ("natural", "l2", "linf"), n=50, levels=(4, 8, 12, 16)),
        "fashion, alarm": alarm("fashion", n=50),
        "shapes, alarm": alarm("shapes", n=30),
        "shapes, defences": inputs_attacked(
            "shapes", {"natural": ("saliency", wide), "softplus": ("saliency",)}, n=30, claims=[]),
        "fashion, transfer": transfer("fashion", n=20),
        "shapes, liars": liars(),
        "fashion, faithfulness": faithfulness("fashion", n=50),
        "shapes, faithfulness": faithfulness("shapes", n=54),
    }


if __name__ == "__main__":
    command_line("attacks", quantities)
