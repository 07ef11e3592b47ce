"""Class scores and their gradients: the only place where autograd is called (paper §3).

Every method of the book ends here. A model maps images `(N, C, H, W)` in [0, 1] to one score
for each class `(N, K)`; what is explained is the score `S_c` of one class per image.
"""
import warnings
from collections.abc import Callable, Iterable
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Attribute = Callable[[nn.Module, Tensor, Tensor], Tensor]


def chunk_size(x: Tensor) -> int:
    """Images per pass that suit a CPU's cache (64 at 28 px, 32 at 64 px, 2 at 224 px), twice as many under
    `torch.no_grad()`, where no activations are kept, and more on a GPU."""
    if x.ndim == 2 or x[0].numel() < 100:
        return 1024
    pixels = x[0, 0].numel()
    best = 64 if pixels <= 32**2 else 32 if pixels <= 64**2 else max(1, 2 * 224**2 // pixels)
    return best * (1 if torch.is_grad_enabled() else 2) * (8 if x.is_cuda else 1)


def check_input(model: nn.Module, x: Tensor, target: Tensor) -> None:
    """`ValueError` with a remedy if `x` and `target` are not a batch that `model` can explain."""
    if not isinstance(x, Tensor) or not isinstance(target, Tensor):
        raise ValueError("x and target must be tensors: torch.as_tensor(...) makes one")
    if x.ndim not in (2, 4) or len(x) == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; methods take a batch (N, C, H, W) or (N, features): "
            "x[None] makes a batch of one image"
        )
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; pixels are floats in [0, 1]: x.float() / 255")
    if not torch.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values: torch.nan_to_num(x) shows where")
    if target.shape != x.shape[:1] or target.dtype != torch.long:
        raise ValueError(
            f"target must hold one class number per image, shape ({len(x)},) and dtype long; "
            f"it has {tuple(target.shape)} and {target.dtype}"
        )
    _check_model_state(model, x)


def _check_model_state(model: nn.Module, x: Tensor) -> None:
    if any(module.training for module in model.modules()):
        raise ValueError("the model is in training mode: call model.eval() first")
    parameter = next(model.parameters(), None)
    if parameter is not None and (parameter.dtype, parameter.device) != (x.dtype, x.device):
        raise ValueError(
            f"x is {x.dtype} on {x.device}, the model {parameter.dtype} on {parameter.device}: "
            "move one to the other with .to(...)"
        )


def all_scores(model: nn.Module, x: Tensor) -> Tensor:
    """S(x), the scores of all classes.  (N, ...) -> (N, K); `ValueError` where x does not fit."""
    try:
        scores = model(x)
    except RuntimeError as error:
        hint = " (a grey image for a colour model: x.expand(-1, 3, -1, -1))" if x.shape[1] == 1 else ""
        raise ValueError(f"the model fails on x of shape {tuple(x.shape)}{hint}: {error}") from error
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(x):
        raise ValueError(
            "the model must return one tensor of class scores (N, K): wrap it in an nn.Module that does"
        )
    return scores


def class_score(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """S_c(x): the score of each image's own target class (paper §3).  (N, ...) -> (N,)"""
    scores = all_scores(model, x)
    unknown = target[(target < 0) | (target >= scores.shape[1])]
    if len(unknown):
        raise ValueError(
            f"target holds class {int(unknown[0])}; the model has classes 0 to {scores.shape[1] - 1}"
        )
    score = scores.gather(1, target[:, None]).squeeze(1)
    if not torch.isfinite(score).all():
        raise ValueError("the model's score is NaN or infinite for at least one image")
    return score


def input_gradient(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """∂S_c/∂x, shaped like `x`; differentiable itself if `x.requires_grad` (paper §3)."""
    check_input(model, x, target)
    again = x.requires_grad and torch.is_grad_enabled()
    parts = []
    for x_part, target_part in _chunks(x, target):
        with torch.enable_grad():
            x_part = x_part if again else x_part.detach().requires_grad_()
            score = class_score(model, x_part, target_part).sum()
            parts.append(torch.autograd.grad(score, x_part, create_graph=again)[0])
    return torch.cat(parts)


def layer_gradient(
    model: nn.Module, x: Tensor, target: Tensor, *, layer: nn.Module
) -> tuple[Tensor, Tensor]:
    """The output A of `layer` and ∂S_c/∂A, both `(N, channels, h, w)`; `ValueError` if the layer runs
    more or less than once, or if a later in-place layer overwrites its output."""
    check_input(model, x, target)
    again = x.requires_grad and torch.is_grad_enabled()
    outputs: list[tuple[Tensor, int]] = []
    activations, gradients = [], []

    def keep(_layer, _inputs, output):
        output = output if again else output.detach().requires_grad_()  # nothing below is needed
        outputs.append((output, output._version))
        return output

    with torch.enable_grad(), layer.register_forward_hook(keep):
        for x_part, target_part in _chunks(x, target):
            score = class_score(model, x_part if again else x_part.detach(), target_part).sum()
            if len(outputs) != 1:
                raise ValueError(f"the layer ran {len(outputs)} times in one pass; it must run once")
            activation, version = outputs.pop()
            if activation._version != version:
                raise ValueError("a later in-place layer overwrites this layer's output: inplace=False")
            gradients.append(torch.autograd.grad(score, activation, create_graph=again)[0])
            activations.append(activation if again else activation.detach())
    return torch.cat(activations), torch.cat(gradients)


class _LayerReached(Exception):
    """Ends a forward pass that is needed up to a layer only; carries the layer's output."""


def _jvp(function: Callable, point: Tensor, along: Tensor) -> Tensor:
    with warnings.catch_warnings():  # PyTorch's own formulas for this still use torch.jit.script
        warnings.simplefilter("ignore", FutureWarning)
        return torch.func.jvp(function, (point,), (along,))[1]


def layer_change(model: nn.Module, x: Tensor, direction: Tensor, *, layer: nn.Module) -> Tensor:
    """(∂A/∂x) · direction: the rate at which the output A of `layer` changes as `x` moves along
    `direction`, by forward-mode differentiation. Nothing above the layer runs.  (N, ...) -> shaped like A"""
    def stop(_layer, _inputs, output):
        raise _LayerReached(output)

    def lower_half(x_part):
        try:
            model(x_part)
        except _LayerReached as reached:
            return reached.args[0]
        raise ValueError("the layer did not run in the forward pass")

    with layer.register_forward_hook(stop):
        parts = zip(x.split(chunk_size(x)), direction.split(chunk_size(x)), strict=True)
        changes = [_jvp(lower_half, point, along) for point, along in parts]
    again = x.requires_grad and torch.is_grad_enabled()
    return torch.cat(changes if again else [change.detach() for change in changes])


def loss_and_gradient(model: nn.Module, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy L of each image (N,) and ∂L/∂x (N, ...); both differentiable again if
    `x.requires_grad`. It serves attacks and training, so the model may be in training mode; batch norm
    then couples the images (paper §5.2, Eq. 3)."""
    again = x.requires_grad
    with torch.enable_grad():
        x = x if again else x.detach().requires_grad_()
        losses = F.cross_entropy(model(x), target, reduction="none")
        return losses, torch.autograd.grad(losses.sum(), x, create_graph=again)[0]


def value_and_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """f(x), one number for each image (N,), and ∂f/∂x, shaped like `x`; f sees each image by itself. It
    serves the attacks on a map, where f holds gradients of the model (paper §5.1). `ValueError` if f is not
    differentiable."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        values = function(x)
        if not values.requires_grad:
            raise ValueError("the function is not differentiable by x: it detaches it, or ignores it")
        return values.detach(), torch.autograd.grad(values.sum(), x)[0]


def _chunks(x: Tensor, target: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    parts = -(-len(x) // chunk_size(x))  # of nearly equal size: a small rest would cost more than its share
    size = -(-len(x) // parts)
    return zip(x.split(size), target.split(size), strict=True)


def mean_map(
    attribute: Attribute, model: nn.Module, points: Iterable[Tensor], target: Tensor
) -> Tensor:
    """Mean of `attribute`'s maps at `points`, an iterable of tensors (N, ...) made one by one.

    Small batches are joined to passes of `chunk_size` images, so that one image with many noisy
    copies costs as little per copy as a full batch; memory does not grow with the copies.
    """
    points, total, count = iter(points), 0, 0
    for first in points:
        size = max(1, chunk_size(first) // len(first))
        group = [first, *islice(points, size - 1)]
        maps = attribute(model, torch.cat(group), target.repeat(len(group)))
        total = total + maps.unflatten(0, (len(group), len(first))).sum(0)
        count += len(group)
    return total / count


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """The scores of all classes without a graph, in chunks.  (N, C, H, W) -> (N, K)"""
    check_input(model, x, torch.zeros(len(x), dtype=torch.long, device=x.device))
    with torch.no_grad():
        return torch.cat([all_scores(model, part) for part in x.split(chunk_size(x))])


def predict(model: nn.Module, x: Tensor) -> Tensor:
    """Soft-max probabilities of all classes.  (N, C, H, W) -> (N, K)"""
    return logits(model, x).softmax(1)
