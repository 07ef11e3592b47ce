"""What stands where pixels were removed: functions (x, removed) -> x (paper §4.1).

`x` are images (N, C, H, W); `removed`, of yes and no, broadcasts to it: (N, 1, H, W) for all colours at once.
"""
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

Fill = Callable[[Tensor, Tensor], Tensor]


def constant(x: Tensor, removed: Tensor, *, value: Tensor) -> Tensor:
    """`value`, which broadcasts to `x`: zeros are black, the mean of the training images is grey."""
    return torch.where(_check(x, removed), value.to(x), x)


def imputed(
    x: Tensor, removed: Tensor, *, generator: torch.Generator, noise: float = 0.01, iterations: int = 100
) -> Tensor:
    """Noisy linear imputation (Rong et al. 2022): a removed pixel is the mean of its neighbours inside the
    image, direct ones weighing 1/6 and diagonal ones 1/12, plus normal noise.

    The linear system is solved by Jacobi steps from the mean of what is left (0.5 where nothing is); a
    hole much wider than √iterations pixels keeps some of that mean in its middle.
    """
    removed = _check(x, removed)
    planes = x.shape[0] * x.shape[1]
    kernel = torch.tensor([[1.0, 2, 1], [2, 0, 2], [1, 2, 1]]).to(x).expand(planes, 1, 3, 3) / 12

    def neighbours(image: Tensor) -> Tensor:  # groups, not a batch: twenty times faster on a CPU
        return conv2d(image.reshape(1, planes, *x.shape[2:]), kernel, padding=1, groups=planes).view_as(x)

    inside, left = neighbours(torch.ones_like(x)), (~removed).sum((2, 3), keepdim=True)
    mean = x.masked_fill(removed, 0).sum((2, 3), keepdim=True) / left
    solution = torch.where(removed, mean.nan_to_num(0.5), x)
    for _ in range(iterations):
        solution = torch.where(removed, neighbours(solution) / inside, x)
    grain = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    return torch.where(removed, solution + noise * grain.to(x.device), x)


def _check(x: Tensor, removed: Tensor) -> Tensor:
    if removed.dtype != torch.bool:
        raise ValueError(f"removed has dtype {removed.dtype}; it says yes or no: removed > 0")
    try:
        return removed.expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"removed of shape {tuple(removed.shape)} does not fit x, {tuple(x.shape)}: (N, 1, H, W) removes "
            "all colours of a pixel"
        ) from error
