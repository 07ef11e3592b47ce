"""The requirements of paper §2.1 as measurements that any method can be put to (protocol, section 2).

Each column of Table 2 but fidelity is a function of a method and returns the quantities that its claims
read; it is blind to the paper's entry. Options `baseline` and `layer` are bound for the methods that have
them; networks and points come from `toys.py`.
"""
import inspect
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from tutorial_lib.evaluation.toys import (
    PAIRS,
    equal_pair,
    networks_and_points,
    random_network,
    saturating_network,
    shifted_twin,
    wired_dummies,
)
from tutorial_lib.scores import Attribute, class_score

_BLACK = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
_SHAPE = (2, 6, 6)


def bind(method: Callable, **options) -> Attribute:
    """`method` with those of `options` that it takes."""
    takes = inspect.signature(method).parameters
    return partial(method, **{name: value for name, value in options.items() if name in takes})


def relative_difference(first: Tensor, second: Tensor) -> float:
    """Largest ‖a - b‖ / max(‖a‖, ‖b‖) over the batch, 0 where both maps are zero."""
    distance = (first - second).flatten(1).norm(dim=1)
    size = torch.maximum(first.flatten(1).norm(dim=1), second.flatten(1).norm(dim=1))
    return (distance / size.masked_fill(size == 0, 1.0)).max().item()


@torch.no_grad()
def score_rise(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """S_c(x) - S_c(x̂), (N,)."""
    return class_score(model, x, target) - class_score(model, baseline.to(x).expand_as(x), target)


def completeness_gap(model: nn.Module, x: Tensor, target: Tensor, a: Tensor, *, baseline: Tensor) -> Tensor:
    """|ΣA - (S_c(x) - S_c(x̂))| / |S_c(x) - S_c(x̂)|, (N,): 0 for a complete map (paper §2.1)."""
    rise = score_rise(model, x, target, baseline=baseline)
    return (a.flatten(1).sum(1) - rise).abs() / rise.abs()


def _targets(x: Tensor) -> Tensor:
    return torch.zeros(len(x), dtype=torch.long)


def _rounds(instances: int, kinds: int) -> int:
    """How often each kind must come if every network has four points."""
    if instances < 4 * kinds:
        raise ValueError(f"{instances} instances miss some of {kinds} kinds: take at least {4 * kinds}")
    return -(-instances // (4 * kinds))


def _random_instance(generator: torch.Generator, **options) -> tuple[Sequence[nn.Module], Tensor]:
    def draw() -> list[nn.Module]:
        return [random_network(generator=generator, **options)]

    return networks_and_points(draw, _SHAPE, n=4, generator=generator)


def implementation_invariance(
    method: Callable, *, instances: int, generator: torch.Generator
) -> dict[str, float]:
    """Largest relative difference of the maps of equal functions that are written differently below
    ("low") or above ("high") the explained layer: every kind of pair equally often, four points to a pair.
    `ValueError` for fewer than twenty instances."""
    explain, worst = bind(method, baseline=_BLACK, layer="layer"), {"low": 0.0, "high": 0.0}
    kinds = list(PAIRS) * _rounds(instances, len(PAIRS))
    for place in worst:
        for kind in kinds:
            draw = partial(equal_pair, kind, place, generator=generator)
            pair, x = networks_and_points(draw, _SHAPE, n=4, generator=generator)
            first, second = (explain(model, x, _targets(x)) for model in pair)
            worst[place] = max(worst[place], relative_difference(first, second))
    return worst


def input_invariance(method: Callable, *, instances: int, generator: torch.Generator) -> dict[str, float]:
    """Largest relative change of the map where f₂(x + m) = f₁(x), for a first layer that is dense or an
    unpadded convolution, and a baseline that is kept ("fixed") or moves by m too; three shifts m, equally
    often. `ValueError` for fewer than twelve instances."""
    shifts = [torch.tensor(m).double().view(1, 2, 1, 1) for m in ([-1.0, -1.0], [0.5, 0.5], [0.3, -0.7])]
    worst = {}
    for name, size in (("dense", 6), ("conv", 3)):
        for kind in ("fixed", "moved"):
            worst[f"{kind}_{name}"] = 0.0
        for m in shifts * _rounds(instances, len(shifts)):
            (model,), x = _random_instance(generator, first=size)
            twin = shifted_twin(model, "below", m.expand(1, *_SHAPE))
            before = bind(method, baseline=_BLACK, layer="layer")(model, x, _targets(x))
            for kind, baseline in (("fixed", _BLACK), ("moved", m)):
                after = bind(method, baseline=baseline, layer="layer")(twin, x + m, _targets(x))
                key = f"{kind}_{name}"
                worst[key] = max(worst[key], relative_difference(before, after))
    return worst


def saturation(method: Callable) -> dict[str, float]:
    """Σ|A| at u = 1.5, 2 and 5, where min(1, u) is flat, over the largest at u = 0.25, 0.5 and 0.75; the
    smallest ratio over u = x and u = x₁ + x₂, for both forms of the function and for the explained layer
    before or at the saturating units."""
    ratios = {}
    for form in ("a", "b"):
        for layer in ("before", "at"):
            explain, found = bind(method, baseline=_BLACK, layer=layer), []
            for features in (1, 2):
                model = saturating_network(form, features)
                u = torch.tensor([1.5, 2.0, 5.0, 0.25, 0.5, 0.75]).double()
                x = (u / features).view(6, 1, 1, 1).repeat(1, features, 4, 4)
                size = explain(model, x, _targets(x)).abs().flatten(1).sum(1)
                rising = size[3:].max()
                found.append((size[:3].min() / rising).item() if rising > 0 else 0.0)
            ratios[f"{form}_{layer}"] = min(found)
    return ratios


def sensitivity(method: Callable, *, instances: int, generator: torch.Generator) -> dict[str, float]:
    """The three parts of the paper's sensitivity: the largest completeness gap without and with biases,
    how often a single feature that changes the score gets less than 1e-9, and the largest score of a
    feature without effect over the map's largest."""
    explain = bind(method, baseline=_BLACK, layer="layer")
    gaps = {f"gap_{k}": _largest_gap(explain, k == "bias", instances, generator) for k in ("free", "bias")}
    ratios = []
    for model, x, without_effect in wired_dummies(generator=generator):
        a = explain(model, x, _targets(x)).abs()
        ratios.append((a[without_effect].max() / a.max()).item() if a.max() > 0 else 0.0)
    return {**gaps, "misses": _misses(method, instances, generator), "dummy": max(ratios)}


def _largest_gap(explain: Attribute, bias: bool, instances: int, generator: torch.Generator) -> float:
    """Over points whose score is at least 0.05 away from that of the black image."""
    worst = 0.0
    for _ in range(-(-instances // 4)):
        (model,), x = _random_instance(generator, bias=bias)
        x = x[score_rise(model, x, _targets(x), baseline=_BLACK).abs() > 0.05]
        if len(x):
            a = explain(model, x, _targets(x))
            worst = max(worst, completeness_gap(model, x, _targets(x), a, baseline=_BLACK).max().item())
    return worst


def _misses(method: Callable, instances: int, generator: torch.Generator) -> int:
    """The saturating toys at u = 2, and random networks at images that are black but for one entry."""
    count = 0
    for form in ("a", "b"):
        x = torch.zeros(1, 1, 4, 4).double()
        x[0, 0, 1, 2] = 2
        a = bind(method, baseline=_BLACK, layer="at")(saturating_network(form, 1), x, _targets(x))
        count += int(a[0, 0, 1, 2].abs() < 1e-9)
    for k in range(instances):
        model, x = random_network(generator=generator), torch.zeros(1, *_SHAPE).double()
        entry = (0, k % 2, 1 + k % 4, 1 + k % 3)
        x[entry] = 0.5 + torch.rand(1, generator=generator).double()
        if score_rise(model, x, _targets(x), baseline=_BLACK).abs() > 0.01:
            a = bind(method, baseline=_BLACK, layer="layer")(model, x, _targets(x))
            count += int(a[entry].abs() < 1e-9)
    return count
