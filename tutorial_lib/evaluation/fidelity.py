"""Does a map announce what the model does?"""
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tutorial_lib.scores import check_input, chunk_size, class_score


def square_masks(x: Tensor, *, cells: int) -> Tensor:
    """The image divided into `cells` × `cells` squares: masks (cells², 1, H, W) of zeros and ones."""
    if x.shape[2] % cells or x.shape[3] % cells:
        raise ValueError(f"{tuple(x.shape[2:])} pixels do not divide into {cells} × {cells} squares")
    corners = torch.eye(cells**2, dtype=x.dtype, device=x.device).view(cells**2, 1, cells, cells)
    return interpolate(corners, x.shape[2:], mode="nearest")


@torch.no_grad()
def true_changes(model: nn.Module, x: Tensor, target: Tensor, *, masks: Tensor, shift: float) -> Tensor:
    """S_c(x + shift · mask) - S_c(x) for each mask.  `x` one image (1, C, H, W) -> (masks,)"""
    check_input(model, x, target)
    _check_single(x)
    shifted = (x + shift * masks).split(chunk_size(x))
    after = torch.cat([class_score(model, part, target.expand(len(part))) for part in shifted])
    return after - class_score(model, x, target)


def announced_changes(attribution: Tensor, *, masks: Tensor, shift: float) -> Tensor:
    """shift · Σ_i A_i over each mask: the changes that the map (1, C, H, W) announces if it is read
    as a gradient.  -> (masks,)"""
    _check_single(attribution)
    return shift * (attribution * masks).flatten(1).sum(1)


def _check_single(image: Tensor) -> None:
    if image.ndim != 4 or len(image) != 1:
        raise ValueError(f"one image (1, C, H, W) at a time, not {tuple(image.shape)}")
