"""Layers that the book's models share."""
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Normalise(nn.Module):
    """(x - mean) / std per channel: the first layer of each model, so that images, epsilons and
    baselines are in pixel units. `mean` and `std` hold one number per channel."""

    def __init__(self, mean: list[float], std: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.mean.shape[1]:
            raise ValueError(
                f"the model takes (N, {self.mean.shape[1]}, H, W), not {tuple(x.shape)}: "
                "x.expand(-1, 3, -1, -1) makes a grey image a colour image"
            )
        return (x - self.mean) / self.std


class ReLU6(nn.ReLU):
    """min(max(z, 0), 6). A subclass of nn.ReLU, so that every rule (and captum) finds it."""

    def forward(self, z: Tensor) -> Tensor:
        return F.relu6(z)


class Add(nn.Module):
    """The sum of a residual block as a module of its own, so that rules can see it."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y
