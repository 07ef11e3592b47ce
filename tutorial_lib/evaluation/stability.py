"""How far a map moves when the image hardly does (paper §4.1)."""
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tutorial_lib.evaluation.maps import check_maps
from tutorial_lib.scores import Attribute, check_input, logits


class Stability(NamedTuple):
    """max ‖A(y) - A(x)‖ (Yeh et al. 2019), the same over ‖A(x)‖ (captum's form), max ‖A(y) - A(x)‖ / ‖y - x‖
    (local Lipschitz estimate, Alvarez-Melis & Jaakkola 2018), and how many y counted, each (N,)."""

    absolute: Tensor
    relative: Tensor
    lipschitz: Tensor
    kept: Tensor


def max_sensitivity(
    methods: Mapping[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, *, radius: float,
    samples: int = 10, generator: torch.Generator,
) -> dict[str, Stability]:
    """Largest l2 change of the whole map over `samples` images y drawn evenly from the l∞ ball of `radius`
    around x (not cut to [0, 1]), the same y for every method (Yeh et al. 2019).

    Only y of the class predicted at x count: NaN where there is none, and in the relative form where
    A(x) = 0. It costs samples + 1 passes, and as many maps of each method. `ValueError` for a radius or a
    number of samples that is not positive, and for a map that is not finite or not shaped like x.
    """
    check_input(model, x, target)
    if radius <= 0 or samples < 1:
        raise ValueError(f"radius and samples must be positive, not {radius} and {samples}")
    decision, counts = logits(model, x).argmax(1), torch.zeros_like(target)
    maps = {name: _explain(name, method, model, x, target) for name, method in methods.items()}
    change, slope = ({name: x.new_full(x.shape[:1], torch.nan) for name in methods} for _ in range(2))
    for _ in range(samples):
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
        y = x + radius * (2 * u.to(x.device) - 1)
        kept, step = logits(model, y).argmax(1) == decision, _norm(y - x)
        counts += kept
        for name, method in methods.items():
            moved = _norm(_explain(name, method, model, y, target) - maps[name]).where(kept, torch.nan)
            change[name] = torch.fmax(change[name], moved)
            slope[name] = torch.fmax(slope[name], moved / step)
    sizes = {name: _norm(a) for name, a in maps.items()}
    return {
        name: Stability(most, most / sizes[name].where(sizes[name] > 0, torch.nan), slope[name], counts)
        for name, most in change.items()
    }


def _norm(change: Tensor) -> Tensor:
    return change.flatten(1).norm(dim=1)


def _explain(name: str, method: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    a = method(model, x, target)
    check_maps({name: a}, x.shape)
    return a.detach()
