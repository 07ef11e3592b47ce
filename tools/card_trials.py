"""What a method does when it is called: its passes, and the networks on which it runs."""
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.measures.passes import KERNEL, passes
from tools.card_methods import Method
from tutorial_lib.attribution.cam import Margin
from tutorial_lib.attribution.gradients import saliency, seeded, squared
from tutorial_lib.attribution.layerwise import alpha_beta_rule, z_box_rule
from tutorial_lib.models.fashion import FashionCNNMaxPool
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import Attribute

BLACK, SCALE = torch.zeros(1, 1, 1, 1), 0.35  # of the normalisation of FashionCNN
PROTOCOL = {  # what the protocol fixes of the arguments without a default
    "attribute": saliency, "sigma": 0.15, "baseline": BLACK, "fill": BLACK + 0.5, "epsilon": 1e-6,
    "size": 4, "stride": 4, "width": KERNEL, "above": alpha_beta_rule(1, 0),
    "first": z_box_rule(torch.zeros(1), torch.full((1,), 1 / SCALE)),
}  # fmt: skip


class Functions(nn.Module):
    """FashionCNN with its ReLUs written as functions."""

    def __init__(self):
        super().__init__()
        layers = load("fashion_natural_100").layers
        self.normalise, *weighted = (layer for layer in layers if not isinstance(layer, nn.ReLU))
        self.weighted = nn.ModuleList(weighted)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        for layer in self.weighted[:-1]:
            x = F.relu(layer(x))
        return self.weighted[-1](x).flatten(1)


class OutputsOnly(nn.Module):
    """A network behind a wall: scores come out, no gradient does."""

    def __init__(self):
        super().__init__()
        self.inner = load("fashion_natural_100")

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.inner(x)


def smooth() -> nn.Module:
    """FashionCNN with GELU modules."""
    model = load("fashion_natural_100")
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.ReLU):
            model.set_submodule(name, nn.GELU())
    return model


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {  # and the layer that Grad-CAM explains
    "a plain sequence": (lambda: load("fashion_natural_100"), "layers.6"),
    "max-pooling": (FashionCNNMaxPool, "layers.8"),
    "skip connections": (lambda: load("shapes_natural_100"), "blocks.3"),
    "ReLUs written as functions": (Functions, "weighted.2"),
    "other activations": (smooth, "layers.6"),
    "outputs only": (OutputsOnly, "inner.layers.6"),
}


def bound(method: Method, layer: str, x: Tensor) -> Attribute:
    """The method with the protocol's settings, for images like x."""
    given = {**PROTOCOL, "layer": layer, "baselines": torch.zeros(200, *x.shape[1:])}
    options = {name: given[name] for name in method.to_choose()}
    if method.settings == "squared saliency":
        options["attribute"] = squared(saliency)
    if method.settings == "margin":
        inner = partial(method.call(), layer=f"0.{layer}")
        return lambda model, x, target: inner(nn.Sequential(model, Margin()).eval(), x, target)
    call = method.call()
    wants_noise = "generator" in call.__annotations__
    return seeded(call, seed=7, **options) if wants_noise else partial(call, **options)


def case(kind: str) -> tuple[nn.Module, Tensor, Tensor, str]:
    """A network of this kind, one image of noise, a class, and the layer for Grad-CAM."""
    make, layer = NETWORKS[kind]
    draws = torch.Generator().manual_seed(7)
    shape = (1, 3, 64, 64) if kind == "skip connections" else (1, 1, 28, 28)
    return make().eval().requires_grad_(False), torch.rand(shape, generator=draws), torch.tensor([0]), layer


@cache
def counted(method: Method) -> tuple[int, int] | None:
    """Passes of one image forward, and of a signal back; None if the method walks through the network's
    layers by itself."""
    if method.function.startswith("layerwise."):
        return None
    model, x, target, layer = case("a plain sequence")
    forward, back = passes(bound(method, layer, x), model, x, target).int().tolist()
    return forward, back


@cache
def runs_on(method: Method) -> dict[str, bool]:
    """For each kind of network whether the method gives a map; else it refuses, or there is no gradient."""
    found = {}
    for kind in NETWORKS:
        model, x, target, layer = case(kind)
        try:
            found[kind] = bound(method, layer, x)(model, x, target).shape == x.shape
        except (ValueError, RuntimeError):
            found[kind] = False
    return found
