"""How a network, or its images, can be spoilt."""

import copy
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.layers import Normalise


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
