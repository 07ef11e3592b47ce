"""The two networks of the benchmark with their images."""
import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.zoo import load

MAPS = 8


class World(NamedTuple):
    """A network, images with their classes, the layer for Grad-CAM, and what stands for nothing."""

    model: nn.Module
    x: Tensor
    target: Tensor
    layer: str
    fill: Tensor

    def first(self, n: int) -> "World":
        """The same with the first `n` images."""
        return self._replace(x=self.x[:n], target=self.target[:n])

    def generator(self) -> torch.Generator:
        """A fresh one, so that each call does the same."""
        return torch.Generator().manual_seed(0)

    def maps(self) -> dict[str, Tensor]:
        """Eight maps shaped like x; what a metric costs does not depend on what they show."""
        draws = torch.randn(MAPS, *self.x.shape, generator=self.generator()).to(self.x.dtype)
        return {str(i): a for i, a in enumerate(draws)}

    def pixel_maps(self) -> dict[str, Tensor]:
        """The same with one value for each pixel."""
        return {name: max_over_colour(a) for name, a in self.maps().items()}

    def channels_last(self) -> "World":
        """The same with the network and the images in the other memory format."""
        form = {"memory_format": torch.channels_last}
        return self._replace(model=copy.deepcopy(self.model).to(**form), x=self.x.to(**form))


def fashion() -> World:
    """FashionCNN, 28 × 28, and 200 test images."""
    model, x = load("fashion_natural_100"), fashion_mnist("test").images[1000:1200]
    return World(model, x, model(x).argmax(1), "layers.6", torch.zeros(1, 1, 1, 1))


def shapes() -> World:
    """ShapesResNet, 64 × 64, and 60 planted shapes."""
    draws = torch.Generator().manual_seed(7)
    model, x = load("shapes_natural_100"), planted_shapes(60, generator=draws).images
    return World(model, x, model(x).argmax(1), "blocks.3", torch.full((1, 1, 1, 1), 0.5))


WORLDS = {"FashionCNN, 28 px": fashion, "ShapesResNet, 64 px": shapes}
