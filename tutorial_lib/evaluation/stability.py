"""How far a map moves when the image hardly does (paper §4.1)."""
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutorial_lib.scores import Attribute, check_input, logits


class MaxSensitivity(NamedTuple):
    """max ‖A(y) - A(x)‖ (Yeh et al. 2019), and the same over ‖A(x)‖ (captum's form), each (N,)."""

    absolute: Tensor
    relative: Tensor


def max_sensitivity(
    methods: Mapping[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, *, radius: float,
    samples: int = 10, generator: torch.Generator,
) -> dict[str, MaxSensitivity]:
    """Largest l2 change of the whole map over `samples` images y drawn evenly from the l∞ ball of `radius`
    around x (not cut to [0, 1]), the same y for every method (Yeh et al. 2019).

    Only y of the class predicted at x count: NaN where there is none, and in the relative form where
    A(x) = 0. It costs samples + 1 passes, and as many maps of each method. `ValueError` for a radius or a
    number of samples that is not positive, and for a map that is not finite or not shaped like x.
    """
    check_input(model, x, target)
    if radius <= 0 or samples < 1:
        raise ValueError(f"radius and samples must be positive, not {radius} and {samples}")
    decision = logits(model, x).argmax(1)
    maps = {name: _explain(name, method, model, x, target) for name, method in methods.items()}
    largest = {name: x.new_full(x.shape[:1], torch.nan) for name in methods}
    for _ in range(samples):
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
        y = x + radius * (2 * u.to(x.device) - 1)
        kept = logits(model, y).argmax(1) == decision
        for name, method in methods.items():
            change = (_explain(name, method, model, y, target) - maps[name]).flatten(1).norm(dim=1)
            largest[name] = torch.where(kept, torch.fmax(largest[name], change), largest[name])
    sizes = {name: a.flatten(1).norm(dim=1) for name, a in maps.items()}
    return {
        name: MaxSensitivity(most, most / sizes[name].masked_fill(sizes[name] == 0, torch.nan))
        for name, most in largest.items()
    }


def _explain(name: str, method: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    a = method(model, x, target)
    if a.shape != x.shape or not a.isfinite().all():
        raise ValueError(f"the map of {name!r}, {tuple(a.shape)}, must be finite and shaped like x")
    return a.detach()
