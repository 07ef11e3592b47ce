"""The network of the Fashion-MNIST world and its variant with max-pooling."""
from torch import Tensor, nn

from tutorial_lib.models.layers import Normalise


class FashionCNN(nn.Module):
    """(N, 1, 28, 28) in [0, 1] -> 10 logits; 126,522 parameters.

    The normalisation only scales, so that without biases the network is homogeneous; the first
    convolution is unpadded, so that its bias can absorb a constant shift of the input.
    """

    def __init__(self, *, bias: bool = True):
        super().__init__()
        self.layers = nn.Sequential(
            Normalise([0.0], [0.35]),
            nn.Conv2d(1, 16, 4, stride=2, bias=bias), nn.ReLU(),
            nn.Conv2d(16, 32, 3, bias=bias), nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, bias=bias), nn.ReLU(),
            nn.Conv2d(64, 64, 5, bias=bias), nn.ReLU(),
            nn.Conv2d(64, 10, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).flatten(1)


class FashionCNNMaxPool(FashionCNN):
    """The same task, with max-pooling in place of strides."""

    def __init__(self):
        nn.Module.__init__(self)
        self.layers = nn.Sequential(
            Normalise([0.0], [0.35]),
            nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(),
            nn.Conv2d(64, 64, 3), nn.ReLU(),
            nn.Conv2d(64, 10, 1),
        )
