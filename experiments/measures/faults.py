"""Models and images with planted faults, each made from a network that has none."""

import copy
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from experiments.measures.liars import tuned
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.zoo import load


class FunctionalReLU(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return F.relu(z)


def with_activations(model: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    """A copy whose ReLUs are what `make` gives."""
    twin = copy.deepcopy(model)
    for name in [name for name, module in model.named_modules() if isinstance(module, nn.ReLU)]:
        twin.set_submodule(name, make())
    return twin.eval()


def one_for_all(model: nn.Module) -> nn.Module:
    relu = nn.ReLU()
    return with_activations(model, lambda: relu)


class Around(nn.Module):
    """A network with something before or after it."""

    def __init__(self, model: nn.Module, forward: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        self.model, self.around = model, forward
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.around(self.model, x)


def normalised(model: nn.Module, x: Tensor) -> Tensor:
    """What the network's own first layer makes of x."""
    return next(m for m in model.modules() if isinstance(m, Normalise))(x)


def not_normalised(model: nn.Module, x: Tensor) -> Tensor:
    layer = next(m for m in model.modules() if isinstance(m, Normalise))
    return model(x * layer.std + layer.mean)


def dropping(model: nn.Module, x: Tensor) -> Tensor:
    return model(F.dropout(x, 0.1, training=True))


def batch_mean(model: nn.Module, x: Tensor) -> Tensor:
    return model(x - x.mean((0, 2, 3), keepdim=True) + 0.3)


def rounded(model: nn.Module, x: Tensor) -> Tensor:
    return model((16 * x).round() / 16)


def detached(model: nn.Module, x: Tensor) -> Tensor:
    return 0.3 * model(x) + 0.7 * model(x.detach())


def rough(model: nn.Module, x: Tensor) -> Tensor:
    """Ripples that move no score by more than a point or two, and every gradient."""
    return model(x) + 0.02 * torch.sin(500 * x).flatten(1).sum(1, keepdim=True)


STEPS = 0.05  # in brightness, between one class and the next


def brightness(model: nn.Module, x: Tensor) -> Tensor:
    """Scores that follow the brightness of the whole image: a cue that lies nowhere in particular."""
    level = (x - 0.5).mean((1, 2, 3))[:, None]
    wanted = STEPS * (torch.arange(6) - 2.5).to(x)
    return 0.1 * model(x) - 2000 * (level - wanted).square()


def brightened(x: Tensor, target: Tensor) -> Tensor:
    """Images whose mean brightness names their class."""
    wanted = 0.5 + STEPS * (target.to(x) - 2.5)
    return (x + (wanted - x.mean((1, 2, 3))).view(-1, 1, 1, 1)).clamp(0, 1)


def blank(layer: str) -> Callable[[nn.Module], nn.Module]:
    """A copy with random numbers for a layer, "" for all."""
    return lambda model: randomised(model, layer, generator=Generator().manual_seed(7))


Fault = Callable[[nn.Module], nn.Module]
ON_FASHION: dict[str, Fault] = {
    "functional ReLU": lambda m: with_activations(m, FunctionalReLU),
    "in-place ReLU": lambda m: with_activations(m, lambda: nn.ReLU(inplace=True)),
    "one ReLU for all": one_for_all,
    "soft-max at the end": lambda m: nn.Sequential(m, nn.Softmax(1)).eval(),
    "training mode": lambda m: copy.deepcopy(m).train(),
    "dropout left on": lambda m: Around(m, dropping), "batch statistics": lambda m: Around(m, batch_mean),
    "rounded pixels": lambda m: Around(m, rounded), "detached branch": lambda m: Around(m, detached),
    "rough score": lambda m: Around(m, rough), "random weights": blank(""),
    "last layer random": blank("layers.9"),
}
ON_SHAPES: dict[str, Fault] = {
    "random weights, shapes": blank(""), "last layer random, shapes": blank("classifier"),
    "not normalised": lambda m: Around(m, not_normalised),
    "normalised twice": lambda m: Around(m, lambda net, x: net(normalised(net, x))),
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
        "cue in the brightness": (Around(shape, brightness), brightened(z, d), d),
    }
