"""Models and images with planted faults, each made from a network that has none."""

import copy
from collections.abc import Callable

from torch import Tensor, nn

from experiments.measures import spoilt
from experiments.measures.liars import tuned
from experiments.measures.spoilt import Around, blank, with_activations
from tutorial_lib.models.zoo import load

Fault = Callable[[nn.Module], nn.Module]
ON_FASHION: dict[str, Fault] = {
    "functional ReLU": lambda m: with_activations(m, spoilt.FunctionalReLU),
    "in-place ReLU": lambda m: with_activations(m, lambda: nn.ReLU(inplace=True)),
    "one ReLU for all": spoilt.one_for_all,
    "soft-max at the end": lambda m: nn.Sequential(m, nn.Softmax(1)).eval(),
    "training mode": lambda m: copy.deepcopy(m).train(),
    "dropout left on": lambda m: Around(m, spoilt.dropping),
    "batch statistics": lambda m: Around(m, spoilt.batch_mean),
    "rounded pixels": lambda m: Around(m, spoilt.rounded),
    "detached branch": lambda m: Around(m, spoilt.detached),
    "rough score": lambda m: Around(m, spoilt.rough), "random weights": blank(""),
    "last layer random": blank("layers.9"),
}
ON_SHAPES: dict[str, Fault] = {
    "random weights, shapes": blank(""), "last layer random, shapes": blank("classifier"),
    "not normalised": lambda m: Around(m, spoilt.not_normalised),
    "normalised twice": lambda m: Around(m, lambda net, x: net(spoilt.normalised(net, x))),
    "red and blue swapped": lambda m: Around(m, lambda net, x: net(x.flip(1))),
}
MEANT_FOR = {  # the checks of which one at least should warn
    **dict.fromkeys(("functional ReLU", "in-place ReLU", "soft-max at the end", "training mode",
                     "images of 0 to 255"), ("obstacles",)),
    **dict.fromkeys(("last layer random", "last layer random, shapes", "permuted labels",
                     "classes shifted by one", "not normalised", "normalised twice",
                     "red and blue swapped"), ("other answer",)),
    **dict.fromkeys(("random weights", "random weights, shapes"),
                    ("other answer", "doubt", "empty image", "untrained look")),
    **dict.fromkeys(("rounded pixels", "detached branch"), ("gap",)),
    "one ReLU for all": ("reused",), "dropout left on": ("randomness",), "batch statistics": ("mixing",),
    "rough score": ("unsteady",), "cue": ("one window",), "cue, attacked": ("one window", "peak off"),
    "cue in the brightness": ("one window", "empty image"),
}


def faulty(seed: int, fashion: tuple[Tensor, Tensor], shapes: tuple[Tensor, Tensor], marked: Tensor) -> dict:
    """By fault: model, images and classes. `marked` are the shapes with the mark of their class."""
    (x, c), (z, d) = fashion, shapes
    cloth, shape = load(f"fashion_natural_{seed}"), load(f"shapes_natural_{seed}")
    found = {name: (fault(cloth), x, c) for name, fault in ON_FASHION.items()}
    found |= {name: (fault(shape), z, d) for name, fault in ON_SHAPES.items()}
    return found | {
        "images of 0 to 255": (cloth, 255 * x, c), "classes shifted by one": (cloth, x, (c + 1) % 10),
        "permuted labels": (load(f"fashion_permuted_{seed}"), x, c),
        "cue": (load(f"shapes_shortcut_{seed}"), marked, d), "cue, attacked": (tuned(seed), marked, d),
        "cue in the brightness": (Around(shape, spoilt.brightness), spoilt.brightened(z, d), d),
    }
