"""The networks of the planted-shapes world: a small residual net, and one wired by hand."""
import math
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tutorial_lib.drawing import SHAPES, outline
from tutorial_lib.models.layers import Add, Normalise


class ResidualBlock(nn.Module):
    """ReLU(conv(ReLU(conv(x))) + x); a 1 × 1 convolution stands in for x where shapes differ."""

    def __init__(self, inputs: int, outputs: int, *, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)
        self.add = Add()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.add(self.body(x), self.skip(x)))


class ShapesResNet(nn.Module):
    """(N, 3, 64, 64) in [0, 1] -> 6 logits; 152,070 parameters.

    This is the network that is explained: convolution, ReLU, addition, mean, linear. It is trained
    with batch norm after each convolution (`with_batch_norm`), which is folded in afterwards.
    """

    def __init__(self):
        super().__init__()
        self.normalise = Normalise([0.5] * 3, [0.25] * 3)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU())
        self.blocks = nn.Sequential(
            ResidualBlock(16, 16, stride=1), ResidualBlock(16, 32, stride=2),
            ResidualBlock(32, 64, stride=2), ResidualBlock(64, 64, stride=1),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, len(SHAPES))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.blocks(self.stem(self.normalise(x)))).flatten(1))


def with_batch_norm(model: nn.Module) -> nn.Module:
    """`model` with a batch norm after each convolution, in place, for training."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            model.set_submodule(name, nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels)))
    return model


def keep_function(model: nn.Module, x: Tensor) -> None:
    """Set each batch norm of `model` so that on the batch `x` it changes nothing: a trained network
    that gets batch norms goes on from where it was. The model is left in evaluation mode."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad(), ExitStack() as stack:
        for norm in norms:
            stack.enter_context(norm.register_forward_pre_hook(_undo_on_this_batch))
        model.eval()(x)


def _undo_on_this_batch(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean)


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Undo `with_batch_norm`: each norm becomes part of its convolution, the function stays the same
    in evaluation mode."""
    model.eval()
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Sequential) and len(layer) == 2 and isinstance(layer[1], nn.BatchNorm2d):
            model.set_submodule(name, fuse_conv_bn_eval(layer[0], layer[1]))
    return model


class WiredNetwork(nn.Module):
    """A classifier of planted shapes without training: (N, 3, 64, 64), blue-coded -> 6 logits.

    Its first layer is ReLU(blue - 0.75): where blue stays below 0.75, nothing passes, and the gradient
    is exactly 0. On images of `blue_coded` that is everything off the mask. Above it, each class has
    templates of its outline, in some sizes and angles; its logit is the best match.
    """

    _SIDE, _TEMPLATES, _GAIN = 27, 24, 20.0

    def __init__(self):
        super().__init__()
        blue = nn.Conv2d(3, 1, 1)
        blue.weight.data = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
        blue.bias.data = torch.tensor([-0.75])
        templates = torch.cat([self._templates(shape) for shape in range(len(SHAPES))])
        match = nn.Conv2d(1, len(templates), self._SIDE, stride=2, padding=self._SIDE // 2, bias=False)
        match.weight.data = templates
        self.gate = nn.Sequential(blue, nn.ReLU())
        self.match = match
        self.best = nn.MaxPool1d(self._TEMPLATES * 32 * 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.best(self.match(self.gate(x)).flatten(1)[:, None]).squeeze(1)

    def _templates(self, shape: int) -> Tensor:
        """Outlines in radii from 9 to 12 pixels, at angles that its symmetry does not repeat; mean 0 and
        norm `_GAIN`, so that the right outline matches best, not the largest."""
        symmetry = (0, 4, 3, 5, 4, 0)[shape]
        sizes = 4 if symmetry else self._TEMPLATES
        line = torch.arange(self._SIDE) - self._SIDE // 2
        row, column = torch.meshgrid(line, line, indexing="ij")
        masks = []
        for i in range(self._TEMPLATES):
            size = 9 + 3 * (i % sizes + 0.5) / sizes
            angle = 2 * math.pi / max(symmetry, 1) * (i // sizes) / (self._TEMPLATES // sizes)
            x, y = column / size, row / size
            u, v = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
            masks.append(outline(shape, u, v).float())
        templates = torch.stack(masks)[:, None]
        templates = templates - templates.mean((2, 3), keepdim=True)
        return self._GAIN * templates / templates.norm(dim=(2, 3), keepdim=True)
