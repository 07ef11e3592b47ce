"""C115: passes of the methods; how many points integrated gradients need, and how many copies SmoothGrad."""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.intervals import interval
from experiments.measures.passes import masking, passes
from experiments.runner import Quantity, batches, joined
from experiments.worlds import BASELINES, SAMPLES, nine_methods
from tutorial_lib.attribution.gradients import integrated_gradients, saliency, smoothgrad, vargrad
from tutorial_lib.evaluation.axioms import completeness_gap
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.scores import Attribute, input_gradient

IMAGES, BATCH = {"fashion": 50, "shapes": 54}, 10  # 54 is the next multiple of the six classes
FOUR = ("saliency", "Gradient x Input", "guided backprop", "Grad-CAM")
STEPS = torch.tensor([round(50 * 2 ** (k / 4)) for k in range(-16, 17)])  # 3 to 800, with 50, 100 and 200
MORE = round(50 * 2 ** (17 / 4))  # what is noted where 800 are too few
GAP, ERROR, COPIES, SIGMA = 0.01, 0.05, 256, 0.15


def steps_needed(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> dict[str, Tensor]:
    """The number of `STEPS` from which on the gap of completeness stays at most 1 %, and the first one with
    such a gap, (N,); `MORE` where there is none."""
    gaps = []
    for steps in STEPS.tolist():
        a = integrated_gradients(model, x, target, baseline=baseline, steps=steps)
        gaps.append(completeness_gap(model, x, target, a, baseline=baseline))
    small = torch.stack(gaps, 1) <= GAP
    lasting = small.flip(1).cumprod(1).flip(1).bool()
    return {"stays": first_of(lasting), "first": first_of(small)}


def first_of(fine: Tensor) -> Tensor:
    """The first of `STEPS` that is fine.  (N, steps) -> (N,)"""
    return STEPS[fine.int().argmax(1)].where(fine.any(1), MORE).double()


def copies_needed(
    attribute: Attribute, model: nn.Module, x: Tensor, target: Tensor, *, draws: Generator
) -> Tensor:
    """The smallest n for which √E‖SG(n) - SG(∞)‖² ≤ 5 % of ‖SG(∞)‖, (N,): the variance of one copy over n,
    both estimated from 256 copies. The map is the whole one, not reduced over colour."""
    options = {"attribute": attribute, "sigma": SIGMA, "samples": COPIES, "generator": draws}
    spread = vargrad(model, x, target, **options).flatten(1).sum(1).double() * COPIES / (COPIES - 1)
    size = smoothgrad(model, x, target, **options).flatten(1).square().sum(1).double() - spread / COPIES
    return (spread / (ERROR**2 * size.clamp(min=1e-12))).ceil().clamp(min=1)


def of_images(world: str, model: nn.Module, x: Tensor, target: Tensor, draws: Generator) -> dict:
    """What the images of a batch need, (N,) each."""
    return {
        "IG": steps_needed(model, x, target, baseline=BASELINES[world]),
        "SmoothGrad": {
            "absolute": copies_needed(saliency, model, x, target, draws=draws),
            "signed": copies_needed(input_gradient, model, x, target, draws=draws),
        },
    }


def median(values: Tensor) -> Tensor:
    """Over the images, of each network."""
    return values.quantile(0.5, dim=1)


def summary(found: dict) -> dict:
    """Numbers of each image; medians over the images as intervals at 99 %."""
    def ends(values: Tensor) -> Tensor:
        draws = Generator().manual_seed(7)
        return interval(crossed(values, level=0.99, generator=draws, statistic=median))

    return {**found, "median": {name: {kind: ends(v) for kind, v in found[name].items()}
                                for name in ("IG", "SmoothGrad")}}


def costs(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    n = IMAGES[world]

    def measure(seed: int) -> dict:
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        x, target, draws = data.images, data.targets, Generator().manual_seed(7)
        parts = [of_images(world, model, x[p], target[p], draws) for p in batches(n, size=BATCH)]
        methods = {**nine_methods(world), **masking(world)}
        number = {name: passes(method, model, x, target) for name, method in methods.items()}
        return {"passes": number, **joined(parts, torch.cat)}

    return Quantity({
        "claims": ["C115"], "networks": f"{world}_natural", "images": n, "judged": FOUR,
        "passes": "of one image forward, and of a signal back, counted by hooks: seeds x 2; RISE and LIME "
        "ask 500 times", "steps": STEPS.tolist(), "more": f"{MORE} stands for more than 800",
        "IG": f"midpoint, baseline {BASELINES[world].item()}; the number of steps from which on the gap of "
        f"completeness stays at most {GAP}, and the first with such a gap: seeds x images",
        "SmoothGrad": f"sigma {SIGMA}; the number of copies whose root mean square error is {ERROR} of the "
        f"norm of the map, by the variance of {COPIES} copies: seeds x images; of |gradient|, of gradient",
        "median": "over the images, mean of the networks: lower end, value, upper end at 99 %, number",
        "batch": f"{BATCH} images; one generator of seed 7 draws for the batches in turn",
        "dtype": "float32", "threads": 1,
    }, measure, summary)
