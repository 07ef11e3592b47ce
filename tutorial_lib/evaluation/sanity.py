"""Controls that change the model: a copy of it, never the reader's (Adebayo et al. 2018)."""
import copy

import torch
from torch import nn


def randomised(model: nn.Module, layer: str, *, generator: torch.Generator) -> nn.Module:
    """A copy of `model` in which the weights of `layer` (by name; "" is the whole model) are normal
    random numbers of the same standard deviation; biases stay."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for weight in changed.get_submodule(layer).parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * weight.std())
    return changed
