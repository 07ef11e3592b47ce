"""What a model must be like for the methods of this book, said all at once."""
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from tutorial_lib.scores import all_scores, check_input

_NODES = (
    "Relu", "Hardtanh", "LeakyRelu", "Elu", "Gelu", "Silu", "Mish", "Sigmoid", "Tanh", "Softplus",
    "Hardswish", "Hardsigmoid", "Threshold", "ClampMin", "Clamp", "Prelu", "Rrelu", "Celu", "Glu",
    "LogSigmoid", "Maximum", "Minimum", "Where", "Abs", "Erf",
)


def activation_nodes(output: Tensor, *, also: tuple[str, ...] = ()) -> Counter[str]:
    """How often each non-linearity (and `also` these nodes) occurs in the autograd graph of `output`."""
    names = (re.sub(r"Backward\d*$", "", node.name()) for node in _graph(output))
    return Counter(name for name in names if name in _NODES + also)


def describe(nodes: Counter[str]) -> str:
    """`Relu (2×), Sigmoid (1×)`, or "no activation"."""
    return ", ".join(f"{name} ({count}×)" for name, count in sorted(nodes.items())) or "no activation"


def _graph(output: Tensor) -> Iterator[torch.autograd.graph.Node]:
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting.extend(parent for parent, _ in node.next_functions)


def model_findings(model: nn.Module, x: Tensor) -> list[str]:
    """All that keeps `model` from being explained at `x`, one sentence each; empty if nothing does.

    The activations in the autograd graph are compared with the calls of nn.ReLU and nn.ReLU6
    modules: only so are functional, in-place and foreign non-linearities seen.
    """
    try:
        check_input(model, x, torch.zeros(len(x), dtype=torch.long, device=x.device))
    except ValueError as error:
        return [str(error)]
    findings = []
    if x.min() < 0 or x.max() > 1:
        findings.append(
            f"x spans [{x.min():.2f}, {x.max():.2f}]; images lie in [0, 1] and normalisation is the "
            "model's first layer: nn.Sequential(Normalise(...), model)"
        )
    relus = [m for m in model.modules() if isinstance(m, (nn.ReLU, nn.ReLU6))]
    if any(m.inplace for m in relus):
        findings.append("an nn.ReLU works in place: build it with inplace=False")
    try:
        scores, calls = _scores_and_calls(model, x[:1], relus)
    except ValueError as error:
        return [*findings, str(error)]
    return findings + _activation_findings(scores, len(calls)) + _score_findings(scores)


def _scores_and_calls(
    model: nn.Module, x: Tensor, modules: Iterable[nn.Module]
) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """The scores with their graph, and which of `modules` ended a call with which output, in this order."""
    calls = []
    with ExitStack() as stack, torch.enable_grad():
        for m in modules:
            handle = m.register_forward_hook(lambda m, _inputs, output: calls.append((m, output)))
            stack.callback(handle.remove)
        scores = all_scores(model, x.detach().requires_grad_())
    return scores, calls


def used_again(model: nn.Module, x: Tensor) -> int:
    """How many nn.ReLU modules run more than once in a pass."""
    relus = [m for m in model.modules() if isinstance(m, (nn.ReLU, nn.ReLU6))]
    calls = Counter(module for module, _ in _scores_and_calls(model, x[:1], relus)[1])
    return sum(number > 1 for number in calls.values())


def last_feature_maps(model: nn.Module, x: Tensor) -> str:
    """The name of the last module to give feature maps (N, K, h, w) of more than one position, and to run
    once; `ValueError` if there is none."""
    names = {module: name for name, module in model.named_modules()}
    calls = _scores_and_calls(model, x[:1], names)[1]
    number = Counter(module for module, _ in calls)
    fitting = [names[m] for m, a in calls if number[m] == 1 and isinstance(a, Tensor)
               and a.ndim == 4 and a.shape[2:].numel() > 1 and a.shape[1:] != x.shape[1:]]
    if not fitting:
        raise ValueError("no module of the model gives feature maps (N, K, h, w) and runs once")
    return fitting[-1]


def _activation_findings(scores: Tensor, calls: int) -> list[str]:
    nodes = activation_nodes(scores)
    if set(nodes) <= {"Relu", "Hardtanh"} and nodes.total() == calls:
        return []
    return [
        f"the graph has {describe(nodes)}, nn.ReLU modules were called {calls}×: functional or other "
        "non-linearities are out of the rules' reach (DeconvNet, guided backpropagation, LRP, "
        "DeepLIFT); use an nn.ReLU module for each activation"
    ]


def _score_findings(scores: Tensor) -> list[str]:
    findings = []
    if not torch.isfinite(scores).all():
        findings.append("some scores are NaN or infinite")
    if scores.min() >= 0 and torch.allclose(scores.sum(1), torch.ones_like(scores[:, 0]), atol=1e-4):
        findings.append("the scores sum to 1: explain the logits, without the final soft-max")
    return findings


def check_model(model: nn.Module, x: Tensor) -> None:
    """`ValueError` that lists every finding of `model_findings`; silent if the model is ready."""
    findings = model_findings(model, x)
    if findings:
        raise ValueError("\n- ".join(["the model is not ready to be explained:", *findings]))


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The module called `name` ("" is the model itself); `ValueError` that lists the valid names."""
    layers = dict(model.named_modules())
    if name not in layers:
        blocks = [key for key in layers if key and key.count(".") <= 1]
        raise ValueError(f"the model has no layer {name!r}; it has {', '.join(blocks)}")
    return layers[name]
