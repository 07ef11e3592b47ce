"""Controls: a randomised copy of the model (Adebayo et al. 2018), and maps that never saw a model."""
import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from tutorial_lib.models.check import find_layer


def randomised(model: nn.Module, layer: str, *, generator: torch.Generator) -> nn.Module:
    """A copy of `model` in which every parameter of `layer` (by name; "" is the whole model) is replaced by
    normal random numbers of the same mean and standard deviation; a parameter of equal numbers stays.

    `ValueError` for an unknown layer, or for one without parameters: the control would change nothing.
    """
    changed = copy.deepcopy(model)
    parameters = list(find_layer(changed, layer).parameters())
    if not parameters:
        raise ValueError(f"layer {layer!r} has no parameters to randomise")
    with torch.no_grad():
        for p in parameters:
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device)
            p.copy_(p.mean() + noise * p.std(correction=0))
    return changed


def weighted_layers(model: nn.Module) -> list[str]:
    """The names of the modules that own parameters themselves, from the last defined to the first: from the
    output down to the input, if the model defines its layers in their order; `ValueError` for none."""
    names = [name for name, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None]
    if not names:
        raise ValueError("the model has no parameters: there is nothing to randomise")
    return names[::-1]


def cascade(
    model: nn.Module, layers: Sequence[str], *, generator: torch.Generator
) -> Iterator[tuple[str, nn.Module]]:
    """Copies of `model` with the first of `layers` randomised, then the first two, … then all, each with the
    name of the newest; a layer has the same random numbers from then on (Adebayo et al. 2018, cascading).

    `ValueError` for an unknown layer, one without parameters, or two that share some.
    """
    reached = [id(p) for layer in layers for p in find_layer(model, layer).parameters()]
    if len(set(reached)) < len(reached):
        raise ValueError(
            f"some of the layers {', '.join(map(repr, layers))} share parameters: name each once, and none "
            "that lies in another, as weighted_layers(model) does"
        )
    for layer in layers:
        model = randomised(model, layer, generator=generator)
        yield layer, model


def independent(
    model: nn.Module, layers: Sequence[str], *, generator: torch.Generator
) -> Iterator[tuple[str, nn.Module]]:
    """Copies of `model` with one of `layers` randomised at a time, each with its name (Adebayo et al. 2018,
    independent). From equal generators a layer gets the random numbers that it has in `cascade`."""
    for layer in layers:
        yield layer, randomised(model, layer, generator=generator)


def random_map(_model: nn.Module, x: Tensor, _target: Tensor, *, generator: torch.Generator) -> Tensor:
    """Normal noise shaped like `x`: a map that has seen neither model nor image nor class."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def edge_filter(_model: nn.Module, x: Tensor, _target: Tensor) -> Tensor:
    """Sobel's edges of the grey image, spread over the channels: a map of the image alone."""
    grey = x.detach().mean(1, keepdim=True)
    across = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).to(x)
    slopes = conv2d(pad(grey, (1, 1, 1, 1), mode="replicate"), torch.stack([across, across.T])[:, None])
    return slopes.norm(dim=1, keepdim=True).expand_as(x) / x.shape[1]


def centre_prior(_model: nn.Module, x: Tensor, _target: Tensor) -> Tensor:
    """A hill in the middle, the same for every image: what one would mark who has seen nothing."""
    row, column = (torch.linspace(-1, 1, side).to(x) for side in x.shape[2:])
    return (2 - row[:, None] ** 2 - column**2).expand_as(x) / x.shape[1]
