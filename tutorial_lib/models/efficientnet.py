"""EfficientNet-Lite0 (Tan & Le 2019), in the form in which it is explained: batch norm folded."""
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tutorial_lib.models.layers import Add, Normalise, ReLU6

# (expansion, kernel, stride, channels out, repeats) of each stage
_STAGES = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)
_BATCH_NORM_EPSILON = 1e-3


class SameConv2d(nn.Conv2d):
    """A stride-2 convolution padded as TensorFlow does: one pixel less on the left and top."""

    def forward(self, x: Tensor) -> Tensor:
        padding = self.kernel_size[0] - 2
        before = padding // 2
        return super().forward(F.pad(x, (before, padding - before) * 2))


def _convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 2:
        return SameConv2d(inputs, outputs, kernel, stride, groups=groups)
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)


class InvertedResidual(nn.Module):
    """Expand (1×1), filter each channel (k×k), project (1×1); add the input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        wide = inputs * expansion
        expand = [_convolution(inputs, wide, 1), ReLU6()] if expansion > 1 else []
        filters = [_convolution(wide, wide, kernel, stride=stride, groups=wide), ReLU6()]
        self.body = nn.Sequential(*expand, *filters, _convolution(wide, outputs, 1))
        self.add = Add() if stride == 1 and inputs == outputs else None

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) if self.add is None else self.add(self.body(x), x)


class EfficientNetLite0(nn.Module):
    """ImageNet classifier: (N, 3, H, W) in [0, 1] -> 1000 logits; trained at 224 × 224."""

    def __init__(self):
        super().__init__()
        blocks, channels = [], 32
        for expansion, kernel, stride, outputs, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(InvertedResidual(channels, outputs, expansion, kernel, stride if i == 0 else 1))
                channels = outputs
        self.normalise = Normalise([0.5] * 3, [0.5] * 3)
        self.stem = nn.Sequential(_convolution(3, 32, 3, stride=2), ReLU6())
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(_convolution(channels, 1280, 1), ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(self.blocks(self.stem(self.normalise(x))))
        return self.classifier(self.pool(features).flatten(1))


def load_folded(model: EfficientNetLite0, state: dict[str, Tensor]) -> None:
    """Copy a checkpoint with batch norm into `model`, each norm folded into its convolution:
    w ← w γ/√(v + ε), b ← β - m γ/√(v + ε).

    The checkpoint lists its tensors in the order of the layers, under TensorFlow's names.
    """
    tensors = iter(v for k, v in state.items() if not k.endswith("num_batches_tracked"))
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                weight, gamma, beta, mean, variance = (next(tensors) for _ in range(5))
                scale = gamma / (variance + _BATCH_NORM_EPSILON).sqrt()
                layer.weight.copy_(weight * scale.view(-1, 1, 1, 1))
                layer.bias.copy_(beta - mean * scale)
        model.classifier.weight.copy_(next(tensors))
        model.classifier.bias.copy_(next(tensors))
