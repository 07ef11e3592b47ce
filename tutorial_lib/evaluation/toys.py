"""Networks whose answers are known: toys, one function written in two ways, shifted twins, wired dummies.

The networks built here are float64; points lie off kinks, where autograd's derivative is a convention
(the book's protocol, section 2). Scalar toys are convolutions of size 1 and a sum over all places.
"""
import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tutorial_lib.models.check import find_layer


class SumOverPlaces(nn.Module):
    """(N, C, H, W) -> (N, C)"""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


class Identity(nn.Module):
    """u written as ReLU(u) - ReLU(-u)."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.ReLU(), nn.ReLU()

    def forward(self, u: Tensor) -> Tensor:
        return self.up(u) - self.down(-u)


class Doubled(nn.Module):
    """ReLU(z) written as 2 ReLU(z) - ReLU(z)."""

    def __init__(self):
        super().__init__()
        self.plus, self.minus = nn.ReLU(), nn.ReLU()

    def forward(self, z: Tensor) -> Tensor:
        return 2 * self.plus(z) - self.minus(z)


class Nested(nn.Module):
    """Two channels to one, ReLU(ReLU(u) - 1 - ReLU(v)) or, not `outer`, ReLU(ReLU(u - 1) - ReLU(v)): the
    same function (Sundararajan et al. 2017)."""

    def __init__(self, *, outer: bool):
        super().__init__()
        self.outer, self.first, self.second, self.last = outer, nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        u, v = x[:, :1], x[:, 1:2]
        u = self.first(u) - 1 if self.outer else self.first(u - 1)
        return self.last(u - self.second(v))


class Cancelling(nn.Module):
    """x₃ + f(x₁, x₂) - g(x₁, x₂) with the two forms of `Nested`: x₁ and x₂ are wired and have no effect."""

    def __init__(self):
        super().__init__()
        self.f, self.g = Nested(outer=True), Nested(outer=False)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 2:] + self.f(x) - self.g(x)


def convolution(weight: list, bias: list | None = None) -> nn.Conv2d:
    """A 1 × 1 convolution with this matrix (outputs, inputs) and bias."""
    layer = nn.Conv2d(len(weight[0]), len(weight), 1, bias=bias is not None)
    layer.weight.data = torch.tensor(weight)[:, :, None, None]
    if bias is not None:
        layer.bias.data = torch.tensor(bias)
    return layer


def saturating(form: str) -> tuple[nn.Conv2d, nn.Conv2d]:
    """min(1, u) for u ≥ 0, what stands below and above its ReLUs: form "a" is the paper's 1 - ReLU(1 - u),
    form "b" is ReLU(u) - ReLU(u - 1)."""
    if form == "a":
        return convolution([[-1.0]], [1.0]), convolution([[-1.0]], [1.0])
    return convolution([[1.0], [1.0]], [0.0, -1.0]), convolution([[1.0, -1.0]])


def network(**layers: nn.Module) -> nn.Sequential:
    """Named layers as a frozen network in float64 and evaluation mode."""
    return nn.Sequential(OrderedDict(layers)).double().eval().requires_grad_(False)


def saturating_network(form: str, features: int) -> nn.Module:
    """The sum over all places of min(1, x₁ + … ), with layers "before" and "at" its units."""
    below, above = saturating(form)
    return network(add=convolution([[1.0] * features]), before=nn.Identity(), below=below, relu=nn.ReLU(),
                   at=nn.Identity(), above=above, score=SumOverPlaces())


def random_convolution(
    inputs: int, outputs: int, size: int, *, generator: torch.Generator, bias: bool = True
) -> nn.Conv2d:
    """An unpadded convolution with normal weights that keep the scale, and biases of half that size."""
    layer = nn.Conv2d(inputs, outputs, size, bias=bias)
    layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / (inputs * size**2) ** 0.5
    if bias:
        layer.bias.data = torch.randn(outputs, generator=generator) / 2
    return layer.double()


def random_network(
    *, generator: torch.Generator, first: int = 3, bias: bool = True, silent: bool = False
) -> nn.Module:
    """(N, 2, 6, 6) -> one score: a convolution of size `first` (6 is a dense layer), "layer", another and
    a sum; `silent` cuts the second channel off."""
    conv = partial(random_convolution, generator=generator, bias=bias)
    below = conv(2, 4, first)
    if silent:
        below.weight.data[:, 1] = 0
    return network(below=below, relu=nn.ReLU(), layer=nn.Identity(), above=conv(4, 4, min(3, 7 - first)),
                   relu2=nn.ReLU(), read_out=conv(4, 1, 1), score=SumOverPlaces())


def _identity(inputs: int, conv: Callable) -> tuple[list, list]:
    below, above = conv(inputs, 4, 3), conv(4, 2, 1)
    return [below, above, nn.ReLU()], [below, Identity(), above, nn.ReLU()]


def _folded(inputs: int, conv: Callable) -> tuple[list, list]:
    layer, norm, values = conv(inputs, 2, 3), nn.BatchNorm2d(2).double(), conv(2, 2, 1)
    (norm.weight.data, norm.bias.data), norm.running_mean = values.weight.data[:, :, 0, 0], values.bias.data
    norm.running_var = 0.5 + values.bias.data.square()
    return [layer, norm.eval(), nn.ReLU()], [fuse_conv_bn_eval(layer.eval(), norm), nn.ReLU()]


def _rescaled(inputs: int, conv: Callable) -> tuple[list, list]:
    below, above, order = conv(inputs, 4, 3), conv(4, 2, 1), [2, 0, 3, 1]
    twins, scale = copy.deepcopy((below, above)), torch.tensor([3.0, 0.5, 2.0, 0.25]).double()
    twins[0].weight.data = below.weight.data[order] * scale.view(4, 1, 1, 1)
    twins[0].bias.data = below.bias.data[order] * scale
    twins[1].weight.data = above.weight.data[:, order] / scale.view(1, 4, 1, 1)
    return [below, nn.ReLU(), above, nn.ReLU()], [twins[0], nn.ReLU(), twins[1], nn.ReLU()]


def _nested(inputs: int, conv: Callable) -> tuple[list, list]:
    layer = conv(inputs, 2, 3)  # u passes 1 on the way from black, and v > 0: no point on a kink
    layer.weight.data = layer.weight.data.abs() * torch.tensor([3.0, 0.7]).view(2, 1, 1, 1).double()
    layer.bias.data = torch.tensor([0.2, 0.05]).double()
    return [layer, Nested(outer=True)], [layer, Nested(outer=False)]


def _saturated(inputs: int, conv: Callable) -> tuple[list, list]:
    """The first of two channels saturates; the second passes, so that the map is not all zero."""
    layer = conv(inputs, 2, 3)
    layer.weight.data, layer.bias.data = layer.weight.data.abs(), torch.full((2,), 0.5).double()  # u > 0
    forms = (tuple(map(_beside_a_channel, saturating(form))) for form in "ab")
    return tuple([layer, below, nn.ReLU(), above] for below, above in forms)


def _beside_a_channel(layer: nn.Conv2d) -> nn.Conv2d:
    """The 1 × 1 convolution with a further channel that it hands through."""
    bias = layer.bias.tolist() if layer.bias is not None else [0.0] * layer.out_channels
    weight = torch.block_diag(layer.weight.data[:, :, 0, 0], torch.ones(1, 1))
    return convolution(weight.tolist(), [*bias, 0.0])


PAIRS = {
    "u as ReLU(u) - ReLU(-u)": _identity,
    "batch norm folded": _folded,
    "channels permuted and rescaled": _rescaled,
    "two nested forms": _nested,
    "two saturating forms": _saturated,
}


def equal_pair(kind: str, place: str, *, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
    """Two networks (N, 2, 6, 6) -> one score of one function; the `kind` of PAIRS tells how they differ,
    `place` where: "low" is below their layer "layer", "high" above it."""
    conv = partial(random_convolution, generator=generator)
    first, second = PAIRS[kind](2 if place == "low" else 3, conv)
    width = 1 if kind == "two nested forms" else 2
    shared, end = [conv(2, 3, 3) if place == "high" else conv(3, 3, 3), nn.ReLU()], conv(width, 3, 1)
    read_out = [conv(3, 1, 1), SumOverPlaces()]

    def whole(part: list) -> nn.Module:
        part = [*part, end, nn.ReLU()]
        lower, upper = (part, [*shared, *read_out]) if place == "low" else (shared, [*part, *read_out])
        layers = {"lower": nn.Sequential(*lower), "layer": nn.Identity(), "upper": nn.Sequential(*upper)}
        return network(**copy.deepcopy(layers))

    return whole(first), whole(second)


def wired_dummies(*, generator: torch.Generator) -> Iterator[tuple[nn.Module, Tensor, Tensor]]:
    """Networks with a layer "layer", an image of each, and the mask of the entries without effect: two
    features that cancel, pixels that a stride skips, a channel that is cut off."""
    cancelling = network(copy=convolution(torch.eye(3).tolist()), layer=nn.Identity(), cancel=Cancelling(),
                         score=SumOverPlaces())
    x = torch.tensor([3.0, 1.0, 2.0]).double().view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous()
    yield cancelling, x, torch.tensor([True, True, False]).view(1, 3, 1, 1).expand_as(x)
    strided = nn.Conv2d(1, 2, 1, stride=2)
    strided.weight.data, strided.bias.data = torch.tensor([1.0, -0.5]).view(2, 1, 1, 1), torch.ones(2)
    skipping = network(read=strided, relu=nn.ReLU(), layer=nn.Identity(),
                       read_out=convolution([[1.0, 1.0]]), score=SumOverPlaces())
    skipped = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    skipped[:, :, ::2, ::2] = False
    yield skipping, points_off_kinks([skipping], (1, 6, 6), n=1, generator=generator), skipped
    cut = random_network(generator=generator, silent=True)
    channel = torch.tensor([False, True]).view(1, 2, 1, 1).expand(1, 2, 6, 6)
    yield cut, points_off_kinks([cut], (2, 6, 6), n=1, generator=generator), channel


def distance_to_kinks(models: Sequence[nn.Module], x: Tensor) -> Tensor:
    """The smallest |z| of any ReLU of any of the models, for each image.  (N, C, H, W) -> (N,)"""
    closest = []
    relus = [module for model in models for module in model.modules() if isinstance(module, nn.ReLU)]
    handles = [relu.register_forward_pre_hook(lambda _m, z: closest.append(z[0].abs().flatten(1).amin(1)))
               for relu in relus]
    with torch.no_grad():
        for model in models:
            model(x)
    for handle in handles:
        handle.remove()
    return torch.stack(closest).amin(0)


def points_off_kinks(
    models: Sequence[nn.Module], shape: tuple[int, ...], *, n: int, generator: torch.Generator
) -> Tensor:
    """`n` images in [0.1, 1] with every ReLU at least 1e-3 off its kink; `ValueError` if ten draws of
    eight times as many do not hold enough."""
    found = torch.empty(0, *shape, dtype=torch.float64)
    for _ in range(10):
        x = 0.1 + 0.9 * torch.rand(8 * n, *shape, generator=generator, dtype=torch.float64)
        found = torch.cat([found, x[distance_to_kinks(models, x) > 1e-3]])
        if len(found) >= n:
            return found[:n]
    raise ValueError("too many points lie on kinks: take a smaller network")


def networks_and_points(
    draw: Callable[[], Sequence[nn.Module]], shape: tuple[int, ...], *, n: int, generator: torch.Generator
) -> tuple[Sequence[nn.Module], Tensor]:
    """Random networks that `draw` makes, and `points_off_kinks` of them; of five draws the first that has
    any (a unit that gets nothing sits on its kink for every image, if its bias is close to 0)."""
    for last in (False, False, False, False, True):
        models = draw()
        try:
            return models, points_off_kinks(models, shape, n=n, generator=generator)
        except ValueError:
            if last:
                raise


def rewritten(model: nn.Module, relu: str) -> nn.Module:
    """A copy of `model` with the nn.ReLU of this name written as 2 ReLU(z) - ReLU(z): the same function."""
    twin = copy.deepcopy(model)
    if type(find_layer(twin, relu)) is not nn.ReLU:
        raise ValueError(f"layer {relu!r} is no nn.ReLU")
    twin.set_submodule(relu, Doubled())
    return twin.eval()


def shifted_twin(model: nn.Module, layer: str, shift: Tensor) -> nn.Module:
    """A copy f₂ of `model` with f₂(x + shift) = f₁(x) for a constant `shift` (1, C, H, W): the bias of its
    first linear `layer` absorbs it (Kindermans et al. 2019). `ValueError` where no bias can: the layer
    has none, or pads with zeros."""
    twin, outputs = copy.deepcopy(model), []
    first = find_layer(twin, layer)
    with torch.no_grad(), first.register_forward_hook(lambda _m, _i, out: outputs.append(out)):
        twin(torch.cat([torch.zeros_like(shift), shift]))
        change = (outputs[0][1] - outputs[0][0]).flatten(1)
        if first.bias is None or (change - change[:, :1]).abs().max() > 1e-5 * (1 + change.abs().max()):
            raise ValueError(f"layer {layer!r} has no bias or pads with zeros: it cannot absorb a shift")
        first.bias -= change[:, 0]
    return twin
