"""What `explain_report` says of faulty and of clean models, twelve images at a time and one by one."""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.faults import MEANT_FOR, faulty
from experiments.runner import Quantity
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.findings import LINES
from tutorial_lib.notebook.report import Report, explain_report
from tutorial_lib.robustness.cards import CONFIRMATION

IMAGES, SINGLE = 12, 3
CLEAN = {"fashion": ("natural", "linf", "l2", "gradient"), "shapes": ("natural", "l2")}
MAPS = ("saliency", "SmoothGrad", "IG", "IG, blurred", "occlusion", "Grad-CAM")
COLUMNS = [check for check in LINES if check not in ("no map", "peak off", "unsteady")]
COLUMNS += [f"no map, {name}" for name in MAPS]
COLUMNS += [f"peak off, {name}" for name in MAPS if name != "occlusion"]
COLUMNS += [f"unsteady, {name}" for name in MAPS]


def images() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
    """The first garments and shapes for confirmation, not selected, and these shapes with their mark."""
    test, start = fashion_mnist("test"), CONFIRMATION.fashion.start
    plain, marked = (planted_shapes(IMAGES, generator=Generator().manual_seed(7), cue=c) for c in (None, 1))
    fashion = test.images[start : start + IMAGES], test.targets[start : start + IMAGES]
    return fashion, (plain.images, plain.targets), marked.images


def clean(seed: int, fashion: tuple[Tensor, Tensor], shapes: tuple[Tensor, Tensor]) -> dict:
    """By name: a network without a fault that we know of, images and classes."""
    data = {"fashion": fashion, "shapes": shapes}
    return {f"{world}, {training}": (load(f"{world}_{training}_{seed}"), *data[world])
            for world, trainings in CLEAN.items() for training in trainings}


def row(report: Report) -> dict[str, Tensor]:
    """Values and warnings in the order of `COLUMNS`; NaN and no warning for a check that was not reached."""
    found = {f"{f.check}, {f.of}" if f.of else f.check: f for f in report.findings}
    values = [found[name].value if name in found else torch.nan for name in COLUMNS]
    return {"values": torch.tensor(values).double(),
            "warns": torch.tensor([name in report.warnings for name in COLUMNS]).long()}


def reported(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The row of all images together, and the warnings of the first ones alone, (3, columns)."""
    alone = [row(explain_report(model, x[i : i + 1], target[i : i + 1]))["warns"] for i in range(SINGLE)]
    return row(explain_report(model, x, target)) | {"alone": torch.stack(alone)}


def reports() -> Quantity:
    """One network of each kind a seed."""
    def measure(seed: int) -> dict:
        fashion, shapes, marked = images()
        kinds = {"clean": clean(seed, fashion, shapes), "faulty": faulty(seed, fashion, shapes, marked)}
        return {kind: {name: reported(*each) for name, each in models.items()}
                for kind, models in kinds.items()}

    def stored(found: dict) -> dict:
        return {kind: {name: {**row, "values": (1000 * row["values"]).round() / 1000}
                       for name, row in models.items()} for kind, models in found.items()}

    return Quantity({
        "columns": COLUMNS, "lines": LINES, "clean": CLEAN, "meant for": MEANT_FOR,
        "images": f"the first {IMAGES} garments and planted shapes for confirmation, not selected; the cue: "
        "those shapes with the mark of their class",
        "lines from": "networks of seeds 0 and 1, test images below 1000, shapes of generator seed 0",
        "values, warns": "of all images together: seeds x columns",
        "alone": f"warnings for the first {SINGLE} images one by one: seeds x images x columns",
        "dtype": "float32", "threads": 1,
    }, measure, stored)
