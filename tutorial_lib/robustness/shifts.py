"""Changes of an image that nobody planned, and random ones of a given size (paper §5.1).

Pure functions of images (N, C, H, W) in [0, 1], which stay there. For a blur see `evaluation.fills.blurred`.
"""
import io

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor


def brightened(x: Tensor, *, by: float) -> Tensor:
    """x (1 + by), cut at 1: 0.05 is five percent brighter. `ValueError` for by ≤ -1."""
    if by <= -1:
        raise ValueError(f"by is {by}; it must exceed -1, which is black")
    return (x * (1 + by)).clamp(0, 1)


def translated(x: Tensor, *, down: int, right: int) -> Tensor:
    """Images or maps (..., H, W) moved by whole pixels; the border repeats. The opposite numbers move a map
    back. `ValueError` for a move beyond the image."""
    height, width = x.shape[-2:]
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(f"a move by {down} and {right} leaves nothing of {height} × {width} pixels")
    rows = (torch.arange(height, device=x.device) - down).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) - right).clamp(0, width - 1)
    return x[..., rows[:, None], columns]


def jpeg_coded(x: Tensor, *, quality: int) -> Tensor:
    """Images, grey or in colour, written as JPEG of a `quality` from 1 to 95 and read again."""
    if not 1 <= quality <= 95 or x.shape[1] not in (1, 3):
        raise ValueError(f"quality {quality} must be 1 to 95, and the images have 1 or 3 channels")

    def coded(image: Tensor) -> Tensor:
        file, values = io.BytesIO(), (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(force=True)
        Image.fromarray(values.squeeze(2) if len(image) == 1 else values).save(file, "jpeg", quality=quality)
        return torch.from_numpy(np.array(Image.open(file))).view(*values.shape).permute(2, 0, 1)

    return torch.stack([coded(image) for image in x]).to(x) / 255


def random_signs(x: Tensor, *, epsilon: float, generator: Generator) -> Tensor:
    """x ± ε, a fair coin for each entry, cut to [0, 1]: the largest random change within l∞ ε."""
    signs = torch.randint(2, x.shape, generator=generator, device=generator.device).to(x) * 2 - 1
    return (x + epsilon * signs).clamp(0, 1)


def noise_of_length(x: Tensor, length: Tensor, *, generator: Generator) -> Tensor:
    """x and normal noise, cut to [0, 1], whose l2 norm after the cut is `length` (N,): a random change as
    large as a given one. `ValueError` where no noise is so long inside [0, 1]."""
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)

    def noisy(factor: Tensor) -> Tensor:
        return (x + factor.view(-1, 1, 1, 1) * noise).clamp(0, 1)

    def too_short(factor: Tensor) -> Tensor:
        return (noisy(factor) - x).flatten(1).norm(dim=1) < length

    low, high = torch.zeros_like(length), torch.full_like(length, 100.0)
    if too_short(high).any():
        raise ValueError("no noise inside [0, 1] is so long: ask for a smaller length")
    for _ in range(60):
        middle = (low + high) / 2
        short = too_short(middle)
        low, high = middle.where(short, low), high.where(short, middle)
    return noisy(high)
