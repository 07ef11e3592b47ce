"""What every measure asks of the maps that it is given."""
from collections.abc import Mapping

from torch import Tensor


def check_maps(maps: Mapping[str, Tensor], shape: tuple[int, ...]) -> None:
    """`ValueError` with a remedy if there is no map, or one that is not finite or not of this shape."""
    if not isinstance(maps, Mapping) or not maps:
        raise ValueError("maps go by their names, at least one: {'gradient': map}")
    for name, a in maps.items():
        if not isinstance(a, Tensor):
            raise ValueError(f"the map {name!r} is no tensor: torch.as_tensor(...) makes one")
        if a.shape != tuple(shape):
            raise ValueError(f"the map {name!r} has shape {tuple(a.shape)}; it must be {tuple(shape)}"
                             + _remedy(a, tuple(shape)))
        if not a.isfinite().all():
            raise ValueError(f"the map {name!r} holds NaN or infinite values: map.isfinite() shows where")


def _remedy(a: Tensor, shape: tuple[int, ...]) -> str:
    if a.ndim == 4 and (*a.shape[:1], *a.shape[2:]) == shape:
        return ": sum_over_colour(map) or max_over_colour(map) has one value for each pixel"
    return ": map[None] makes a batch of one map" if a.shape == shape[1:] else ""
