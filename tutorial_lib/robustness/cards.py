"""What a trained model is worth: its card, measured on images that nothing was tuned on (PROTOCOL §6)."""
import json
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.datafiles import sha256, whole_or_nothing
from tutorial_lib.datasets import crossed_shapes, fashion_mnist, planted_shapes
from tutorial_lib.evaluation.statistics import row_share, wilson
from tutorial_lib.models.zoo import read_weights
from tutorial_lib.robustness.attacks import pgd
from tutorial_lib.scores import logits

_ATTACKED = 500
_MARKS = {"no mark": None, "own mark": 1.0, "wrong mark": 0.0}


def right(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, float]:
    """Accuracy with its 95 % Wilson interval."""
    interval = wilson(int((logits(model, x).argmax(1) == target).sum()), n=len(x))
    return {key: round(value, 4) for key, value in vars(interval).items()}


def attacked(model: nn.Module, x: Tensor, target: Tensor, *, norm: str, epsilon: float) -> dict[str, float]:
    """Accuracy that PGD-20 leaves."""
    generator = Generator().manual_seed(7)
    pairs = zip(x.split(50), target.split(50), strict=True)
    worst = [pgd(model, a, b, norm=norm, epsilon=epsilon, generator=generator) for a, b in pairs]
    return right(model, torch.cat(worst), target)


def fashion_numbers(model: nn.Module, *, n: int = 1000) -> dict[str, dict]:
    """Clean accuracy on the first `n` test images from number 1000 on, PGD-20 on at most 500 of them."""
    test = fashion_mnist("test")
    x, target = test.images[1000 : 1000 + n], test.targets[1000 : 1000 + n]
    few = x[:_ATTACKED], target[:_ATTACKED]
    return {
        "clean": right(model, x, target),
        "PGD-20 l∞ 0.1": attacked(model, *few, norm="linf", epsilon=0.1),
        "PGD-20 l2 1.5": attacked(model, *few, norm="l2", epsilon=1.5),
    }


def shapes_numbers(model: nn.Module, *, cue: float | None, n: int = 1000) -> dict[str, dict | float]:
    """Accuracy without, with the right and with a wrong mark, on the same `n` planted shapes; PGD-20 on
    at most 500 like those of the training; what the model uses (`mask_share`)."""
    worlds = {
        name: planted_shapes(n, generator=Generator().manual_seed(7), cue=rate)
        for name, rate in _MARKS.items()
    }
    own = worlds["own mark" if cue else "no mark"]
    return {
        **{name: right(model, data.images, data.targets) for name, data in worlds.items()},
        "PGD-20 l2 1.0": attacked(
            model, own.images[:_ATTACKED], own.targets[:_ATTACKED], norm="l2", epsilon=1.0
        ),
        "variance explained by the mask": round(mask_share(model, cue=cue is not None), 4),
    }


def mask_share(model: nn.Module, *, cue: bool, generator_seed: int = 9) -> float:
    """Share of the variance of the logit of the shape's class that the mask's content explains, when
    100 shapes stand on 10 backgrounds each (with `cue`, the backgrounds carry marks)."""
    shapes, images = crossed_shapes(100, 10, generator=Generator().manual_seed(generator_seed), cue=cue)
    scores = logits(model, images.flatten(0, 1)).view(*images.shape[:2], -1)
    return row_share(scores[torch.arange(len(scores)), :, shapes.targets])


def write_model(model: nn.Module, out: Path, facts: dict, *, cue: float | None) -> None:
    """OUT/NAME.pt (float16) and OUT/NAME.json, the card; each appears whole or not at all, the card last.

    The card is measured on the weights as they are stored.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{facts['name']}.pt"
    with whole_or_nothing(path) as temporary:
        torch.save({key: value.half() for key, value in model.state_dict().items()}, temporary)
    stored = read_weights(facts["architecture"], path)
    shapes = facts["architecture"] == "ShapesResNet"
    numbers = shapes_numbers(stored, cue=cue) if shapes else fashion_numbers(stored)
    card = {**facts, "bytes": path.stat().st_size, "SHA-256": sha256(path), **numbers}
    with whole_or_nothing(out / f"{facts['name']}.json") as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf8")
