"""C152: the map of the predicted class, before and after an attack that forces another class."""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.classes import ONE_PASS, explained, runner_up
from experiments.measures.intervals import interval
from experiments.measures.likeness import lit
from experiments.runner import Quantity
from experiments.worlds import SAMPLES, described, nine_methods
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.statistics import on_the_scale
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class, trained
from tutorial_lib.robustness.attacks import NORMS
from tutorial_lib.scores import logits, loss_and_gradient

EPSILON, ITERATIONS = 8 / 255, 20
IMAGES = {"fashion": 100, "shapes": 102}  # 102 is the next multiple of the six classes
JUDGED = ("guided backprop", "Gradient x Input", "IG")


def forced(model: nn.Module, x: Tensor, wanted: Tensor, *, generator: Generator) -> Tensor:
    """Images within l∞ 8/255 of x on which the model's loss for the class `wanted` is low: the steps of
    `pgd`, downwards (Madry et al. 2018)."""
    steepest, project, start = NORMS["linf"][:3]
    moved, size = (x + EPSILON * start(x, generator)).clamp(0, 1), 2.5 * EPSILON / ITERATIONS
    for _ in range(ITERATIONS):
        step = moved - size * steepest(loss_and_gradient(model, moved, wanted)[1])
        moved = (x + project(step - x, EPSILON)).clamp(0, 1)
    return moved


def coin_flips(x: Tensor, *, generator: Generator) -> Tensor:
    """x ± 8/255, the sign drawn for each entry, cut to [0, 1]: noise of the size of the attack."""
    return (x + EPSILON * (2 * torch.randint(2, x.shape, generator=generator) - 1)).clamp(0, 1)


def of_images(world: str, model: nn.Module, x: Tensor, target: Tensor) -> dict:
    """Likenesses (N,) of a method's maps of the predicted class: at x and at the attacked x, at x and at
    noise, of x and another image; NaN for all three where the attack or the noise misses."""
    wanted = runner_up(model, x, target)
    attacked = forced(model, x, wanted, generator=Generator().manual_seed(7))
    noisy = coin_flips(x, generator=Generator().manual_seed(7))
    hit = (logits(model, attacked).argmax(1) == wanted) & (logits(model, noisy).argmax(1) == target)
    where, partner, nine = lit(x, world), another_class(target), nine_methods(world)
    methods = {name: nine[name] for name in (*ONE_PASS, "IG")}
    points = ((x, target), (attacked, wanted), (noisy, target))
    own, after, jitter = (explained(methods, model, *point) for point in points)

    def kept(first: Tensor, second: Tensor, at: Tensor) -> Tensor:
        return rank_correlations(first, second, where=at).where(hit, torch.nan)

    return {"forced": hit.double(), "alike": {
        name: torch.stack([
            kept(heat, after[name], where), kept(heat, jitter[name], where),
            kept(heat, heat[partner], where & where[partner]),
        ], 1) for name, heat in own.items()
    }}


def summary(found: dict) -> dict:
    """Where the attacked images stand between another image and noise, as intervals; means; first images."""
    def place(v: Tensor) -> Tensor:
        attacked, noise, other = v.unbind(-1)
        draws = Generator().manual_seed(7)
        return interval(on_the_scale(attacked, other, noise, level=0.99, generator=draws))

    kinds, alike = ("attacked", "noise", "another image"), {name: found["alike"][name] for name in JUDGED}
    return {
        "forced": found["forced"].mean(1),
        "e": {name: place(v) for name, v in alike.items()},
        "first images": {name: v[0, :10] for name, v in alike.items()},
        "mean": {name: {kind: v[..., k].nanmean(1) for k, kind in enumerate(kinds)}
                 for name, v in found["alike"].items()},
    }


def forced_class(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    n = IMAGES[world]

    def measure(seed: int) -> dict:
        data = SAMPLES[world](trained(f"{world}_natural"), n=n)
        return of_images(world, load(f"{world}_natural_{seed}"), data.images, data.targets)

    return Quantity({
        "claims": ["C152"], "networks": f"{world}_natural", "images": n,
        "attack": f"targeted PGD, l-inf 8/255, {ITERATIONS} steps, towards the class with "
        "the second highest logit",
        "noise": "8/255 with random signs, cut to [0, 1]; generators of seed 7",
        "forced": "share of the images on which the attack reaches its class and the noise leaves the class",
        "alike": "Spearman of the absolute pixel maps of the predicted class, on those images; "
        "another image: of another class, pixels in both",
        "e": "(attacked - another image) / (noise - another image): lower end, value, upper end at 99 %, "
        "number",
        "first images": "seed 100, 10 images: attacked, noise, another image",
        "pixels": "those that are not black in x" if world == "fashion" else "all",
        "mean": "over the images: seeds", "methods": described(world), "dtype": "float32", "threads": 1,
    }, measure, summary)
