"""Temporary changes of a model's backward pass; each ends with its `with` block, also on an error."""
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from tutorial_lib.models.check import activation_nodes, describe

ActivationRule = Callable[[nn.Module, Tensor, Tensor], Tensor]


class _Replaced(torch.autograd.Function):
    """An activation whose forward pass is its own and whose backward pass is `rule`."""

    @staticmethod
    def forward(ctx, z, activation, rule):
        ctx.save_for_backward(z)
        ctx.activation, ctx.rule = activation, rule
        return activation.forward(z)

    @staticmethod
    def backward(ctx, signal):
        (z,) = ctx.saved_tensors
        return ctx.rule(ctx.activation, z, signal), None, None


@contextmanager
def activation_rule(model: nn.Module, rule: ActivationRule) -> Iterator[None]:
    """Inside the block every ReLU (ReLU6 too) sends back `rule(activation, z, signal)`.

    `z` is the activation's input, `signal` what arrives from above, both shaped alike
    (Ancona et al. 2018: methods differ in this rule alone). `ValueError` if the graph holds another
    non-linearity of a known kind (F.relu, SiLU, clamp, …), which the rule cannot reach and which
    would silently send back its plain gradient.
    """
    relus = [module for module in model.modules() if isinstance(module, (nn.ReLU, nn.ReLU6))]
    if not relus:
        raise ValueError("the model has no nn.ReLU or nn.ReLU6 module, so there is no rule to change")

    if any(relu.inplace for relu in relus):
        raise ValueError("an in-place ReLU overwrites its own input: build it with inplace=False")

    def replace(activation, inputs, _output):
        return _Replaced.apply(inputs[0], activation, rule)

    def refuse_unreached(_model, _inputs, output):
        missed = activation_nodes(output) if isinstance(output, Tensor) else None
        if missed:
            raise ValueError(
                f"the rule does not reach {describe(missed)}: use an nn.ReLU module instead of "
                "F.relu, torch.relu or another non-linearity"
            )

    with ExitStack() as stack:
        for relu in relus:
            stack.enter_context(relu.register_forward_hook(replace))
        stack.enter_context(model.register_forward_hook(refuse_unreached))
        yield


def activation_slope(activation: nn.Module, z: Tensor) -> Tensor:
    """f′(z) of an element-wise activation by autograd, shaped like `z`: 0 or 1 for ReLU and ReLU6."""
    again = z.requires_grad and torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if again else z.detach().requires_grad_()
        return torch.autograd.grad(activation.forward(z).sum(), z, create_graph=again)[0]
