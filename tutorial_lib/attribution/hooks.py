"""Temporary changes of a model's backward pass; each ends with its `with` block, also on an error."""
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from tutorial_lib.models.check import activation_nodes, describe

ActivationRule = Callable[[nn.Module, Tensor, Tensor], Tensor]
RELUS = (nn.ReLU, nn.ReLU6)
ELEMENTWISE = (*RELUS, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Sigmoid, nn.Tanh, nn.Softplus)
POOLS = (nn.MaxPool1d, nn.MaxPool2d)


class _Replaced(torch.autograd.Function):
    """A module whose forward pass is its own and whose backward pass is `rule`. When the map that was sent
    back is itself differentiated, the module's own derivative carries on: z depends on x without the rule."""

    @staticmethod
    def forward(ctx, z, module, rule):
        ctx.save_for_backward(z)
        ctx.module, ctx.rule, ctx.sent = module, rule, False
        return module.forward(z)

    @staticmethod
    def backward(ctx, signal):
        (z,) = ctx.saved_tensors
        if ctx.sent:
            return _own_signal(ctx.module, z, signal), None, None
        ctx.sent = torch.is_grad_enabled()  # the map has a graph, so that its derivative can be asked for
        return ctx.rule(ctx.module, z, signal), None, None


@contextmanager
def backward_rule(model: nn.Module, kinds: tuple[type, ...], rule: ActivationRule) -> Iterator[int]:
    """Inside the block every module of these `kinds` sends back `rule(module, z, signal)`, `z` being its
    input and `signal` what arrives from above. Yields the number of such modules."""
    reached = [module for module in model.modules() if isinstance(module, kinds)]
    if any(getattr(module, "inplace", False) for module in reached):
        raise ValueError("an in-place ReLU overwrites its own input: build it with inplace=False")

    def replace(module, inputs, _output):
        return _Replaced.apply(inputs[0], module, rule)

    with ExitStack() as stack:
        for module in reached:
            stack.enter_context(module.register_forward_hook(replace))
        yield len(reached)


@contextmanager
def activation_rule(
    model: nn.Module, rule: ActivationRule, *, kinds: tuple[type, ...] = RELUS, also: tuple[str, ...] = ()
) -> Iterator[None]:
    """Inside the block every module of these `kinds`, ReLUs unless others are named, sends back
    `rule(activation, z, signal)`.

    `z` is the activation's input, `signal` what arrives from above, both shaped alike
    (Ancona et al. 2018: methods differ in this rule alone). `ValueError` if the graph holds another
    non-linearity of a known kind (F.relu, SiLU, clamp, …; `also` names further ones), which the rule
    cannot reach and which would silently send back its plain gradient.
    """
    def refuse_unreached(_model, _inputs, output):
        missed = activation_nodes(output, also=also) if isinstance(output, Tensor) else None
        if missed:
            raise ValueError(
                f"the rule does not reach {describe(missed)}: use an nn.ReLU module instead of "
                "F.relu, torch.relu or another non-linearity"
            )

    with backward_rule(model, kinds, rule) as reached, model.register_forward_hook(refuse_unreached):
        if not reached:
            names = " or ".join(f"nn.{kind.__name__}" for kind in kinds)
            raise ValueError(f"the model has no {names} module, so there is no rule to change")
        yield


def _own_signal(module: nn.Module, z: Tensor, signal: Tensor) -> Tensor:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        return torch.autograd.grad(module.forward(z), z, signal)[0]


def activation_slope(activation: nn.Module, z: Tensor) -> Tensor:
    """f′(z) of an element-wise activation by autograd, shaped like `z`: 0 or 1 for ReLU and ReLU6."""
    again = z.requires_grad and torch.is_grad_enabled()
    with torch.enable_grad():
        z = z if again else z.detach().requires_grad_()
        return torch.autograd.grad(activation.forward(z).sum(), z, create_graph=again)[0]
