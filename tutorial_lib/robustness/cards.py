"""What a trained model is worth: its card, measured on images that nothing was chosen on (PROTOCOL §6)."""
import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.datafiles import check_sha256, sha256, whole_or_nothing
from tutorial_lib.datasets import crossed_shapes, fashion_mnist, planted_shapes
from tutorial_lib.evaluation.statistics import row_share, wilson
from tutorial_lib.models.zoo import read_card, read_weights
from tutorial_lib.robustness.attacks import pgd
from tutorial_lib.scores import logits


class Part(NamedTuple):
    """The images that a card is measured on: those kept for confirmation, or those for choosing recipes."""

    name: str
    fashion: slice
    shapes: int  # generator seed of the planted shapes
    crossed: int  # generator seed of the shapes on swapped backgrounds


CONFIRMATION = Part("confirmation", slice(1000, 2000), 7, 9)
TUNING = Part("tuning", slice(0, 1000), 0, 0)
MARKS = {"no mark": None, "own mark": 1.0, "wrong mark": 0.0}


def right(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, float]:
    """Accuracy on images (N, C, H, W) with its 95 % Wilson interval: value, lo, hi, n."""
    interval = wilson(int((logits(model, x).argmax(1) == target).sum()), n=len(x))
    return {key: round(value, 4) for key, value in vars(interval).items()}


def attacked(model: nn.Module, x: Tensor, target: Tensor, *, norm: str, epsilon: float) -> dict[str, float]:
    """Accuracy that PGD-20 leaves on images (N, C, H, W), as `right` gives it."""
    generator = Generator().manual_seed(7)
    pairs = zip(x.split(50), target.split(50), strict=True)
    worst = [pgd(model, a, b, norm=norm, epsilon=epsilon, generator=generator) for a, b in pairs]
    return right(model, torch.cat(worst), target)


def fashion_numbers(model: nn.Module, part: Part) -> dict[str, dict]:
    """Accuracy on 1,000 test images, 100 of each class, clean and after PGD-20."""
    test = fashion_mnist("test")
    x, target = test.images[part.fashion], test.targets[part.fashion]
    return {
        "clean": right(model, x, target),
        "PGD-20 l∞ 0.1": attacked(model, x, target, norm="linf", epsilon=0.1),
        "PGD-20 l2 1.5": attacked(model, x, target, norm="l2", epsilon=1.5),
    }


def shapes_numbers(
    model: nn.Module, part: Part, *, cue: float | None, n: int = 1000
) -> dict[str, dict | float]:
    """Accuracy without, with the right and with a wrong mark, on the same `n` planted shapes; PGD-20 on
    at most 500 like those of the training; what the model uses (`shape_share`)."""
    worlds = {
        name: planted_shapes(n, generator=Generator().manual_seed(part.shapes), cue=rate)
        for name, rate in MARKS.items()
    }
    own = worlds["own mark" if cue else "no mark"]
    return {
        **{name: right(model, data.images, data.targets) for name, data in worlds.items()},
        "PGD-20 l2 1.0": attacked(model, own.images[:500], own.targets[:500], norm="l2", epsilon=1.0),
        "variance explained by the shape": round(shape_share(model, part, cue=cue is not None), 4),
    }


def shape_share(model: nn.Module, part: Part, *, cue: bool) -> float:
    """Share of the variance of the logit of the shape's class that the content of the mask explains, when
    96 shapes stand on 12 backgrounds each (with `cue`, the backgrounds carry marks)."""
    generator = Generator().manual_seed(part.crossed)
    shapes, images = crossed_shapes(96, 12, generator=generator, cue=cue)
    scores = logits(model, images.flatten(0, 1)).view(*images.shape[:2], -1)
    return row_share(scores[torch.arange(len(scores)), :, shapes.targets])


def is_complete(out: Path, name: str) -> bool:
    """True if OUT/NAME.pt and its card are there and belong together; `ValueError` if they do not."""
    card, path = out / f"{name}.json", out / f"{name}.pt"
    if not card.exists() or not path.exists():
        return False
    check_sha256(path, read_card(card)["SHA-256"])
    return True


def write_model(model: nn.Module, out: Path, facts: dict, *, cue: float | None) -> None:
    """OUT/NAME.pt (float16) and OUT/NAME.json, the card; each appears whole or not at all, the card last.

    The card is measured on the weights as they are stored: on the confirmation images for seeds from 100
    on, on the tuning images for others. `ValueError` if training ended in NaN or infinite weights.
    """
    state = {key: value.half() for key, value in model.state_dict().items()}
    if not all(value.isfinite().all() for value in state.values()):
        raise ValueError(f"the weights of {facts['name']} are not finite in float16: train with a lower rate")
    out.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(out / f"{facts['name']}.pt") as temporary:
        with temporary.open("wb") as file:  # given a path, torch.save would write its name into the file
            torch.save(state, file)
        card = measured(temporary, facts, cue=cue)
    with whole_or_nothing(out / f"{facts['name']}.json") as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf8")


def measured(path: Path, facts: dict, *, cue: float | None) -> dict:
    """The card of the weights in `path`: the given facts, size and hash, and what they are worth."""
    model = read_weights(facts["architecture"], path)
    part = CONFIRMATION if facts["seed"] >= 100 else TUNING
    of_shapes = facts["architecture"] == "ShapesResNet"
    numbers = shapes_numbers(model, part, cue=cue) if of_shapes else fashion_numbers(model, part)
    return {**facts, "part": part.name, "bytes": path.stat().st_size, "SHA-256": sha256(path), **numbers}
