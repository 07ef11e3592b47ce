"""Attributes made of attributes."""

import torch
from torch import Tensor, nn

from tutorial_lib.scores import Attribute


def constant(_model: nn.Module, x: Tensor, _target: Tensor) -> Tensor:
    """One for every entry."""
    return torch.ones_like(x)


def blurred(attribute: Attribute, width: float) -> Attribute:
    """The map after a Gaussian blur of `width` pixels; at the border the weights inside add up to 1."""
    def weights(side: int) -> Tensor:
        line = torch.arange(side)
        bell = torch.exp(-((line[:, None] - line) ** 2) / (2 * width**2))
        return bell / bell.sum(1, keepdim=True)

    def smooth(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        rows, columns = (weights(side).to(x) for side in x.shape[2:])
        return rows @ attribute(model, x, target) @ columns.T

    return smooth if width else attribute


def remembered(attribute: Attribute) -> Attribute:
    """The same map without a new computation while model, x and target are the same objects."""
    last: list = [(), None]

    def again(*asked) -> Tensor:
        if len(last[0]) != 3 or any(a is not b for a, b in zip(last[0], asked, strict=True)):
            last[:] = asked, attribute(*asked)
        return last[1]

    return again
