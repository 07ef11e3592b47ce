"""What a call costs: images through the network, and time against the bare passes."""
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

Call = Callable[[], object]
SIZES = (8, 16, 32, 64, 128, 256)


@contextmanager
def images_seen(model: nn.Module) -> Iterator[list[int]]:
    """The number of images in each forward pass of `model`, and of its copies, inside the block."""
    seen = []
    with model.register_forward_hook(lambda _model, inputs, _scores: seen.append(len(inputs[0]))):
        yield seen


def seconds(call: Call) -> float:
    """Processor time of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def bare_pass(model: nn.Module, x: Tensor, target: Tensor, *, gradient: bool) -> Call:
    """The network alone on the batch: its scores without a graph, or the gradient of the target's score."""
    def forward() -> Tensor:
        with torch.no_grad():
            return model(x)

    def backward() -> Tensor:
        image = x.detach().requires_grad_()
        return torch.autograd.grad(model(image).gather(1, target[:, None]).sum(), image)[0]

    return backward if gradient else forward


class Passes(NamedTuple):
    """Of images that go forward only, and of images that go forward and back."""

    forward: int | dict = 0
    gradient: int | dict = 0


class Floor:
    """The time that a number of passes takes at least: the bare network at the batch size that suits it.

    `costs` are the microseconds of an image's pass by batch size, which chose the best.
    """

    def __init__(self, model: nn.Module, x: Tensor, target: Tensor):
        def call(size: int, gradient: bool) -> Call:
            return bare_pass(model, *_repeated(x, target, size), gradient=gradient)

        self.costs = Passes(*(
            {size: 1e6 * min(seconds(call(size, gradient)) for _ in range(5)) / size for size in SIZES}
            for gradient in (False, True)
        ))  # fmt: skip
        self.batches = Passes(*(min(costs, key=costs.get) for costs in self.costs))
        self._calls = [call(self.batches.forward, False), call(self.batches.gradient, True)]

    def seconds(self, passes: Passes) -> float:
        """Measured now: the median of five batches or of all that are needed, times the images."""
        return sum(
            statistics.median(seconds(call) for _ in range(max(5, number // size))) / size * number
            for number, size, call in zip(passes, self.batches, self._calls, strict=True) if number
        )


def _repeated(x: Tensor, target: Tensor, size: int) -> tuple[Tensor, Tensor]:
    places = torch.arange(size) % len(x)
    return x[places], target[places]


def interleaved(calls: dict[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds by name, one for each round; in a round each of the calls comes once."""
    table = [{name: call() for name, call in calls.items()} for _ in range(rounds)]
    return {name: [line[name] for line in table] for name in calls}


def ratios(above: list[float], below: list[float]) -> list[float]:
    """The quotients within each round, which a change of the machine's speed between rounds leaves alone."""
    return [a / b for a, b in zip(above, below, strict=True)]
