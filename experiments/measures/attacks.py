"""C102, C103, C154: what is left of a map after an attack on it, and after noise of the same size."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.stability import fidelity
from experiments.runner import Quantity, batches, joined
from experiments.worlds import BASELINES, WINDOWS, nine_methods, pixel_map
from tutorial_lib.attribution.gradients import integrated_gradients, saliency, seeded, smoothgrad
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import FashionMnist, PlantedShapes
from tutorial_lib.evaluation.agreement import top_overlap
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook import samples
from tutorial_lib.robustness.attribution_attacks import attack_map, locally_smoothed, softplus_twin, top_k
from tutorial_lib.robustness.shifts import random_signs
from tutorial_lib.scores import Attribute, logits, predict

BUDGETS = {"fashion": 16 / 255, "shapes": 4 / 255}
NUMBERS = {"fashion": 100, "shapes": 102}  # of C102; smaller samples are right in all networks
BATCH = {"fashion": 10, "shapes": 6}
ROBUST = {"fashion": ("gradient", "linf", "l2"), "shapes": ("l2",)}
JUDGED = ("saliency", "IG", "guided backprop", "Grad-CAM")
SMOOTHED = ("local smoothing", "SmoothGrad of 8")
BETA, NOISES, IG_STEPS = 10.0, 2, 4
Data = FashionMnist | PlantedShapes


def network(world: str, kind: str, seed: int) -> nn.Module:
    """A trained network, or for "softplus" the natural one with softplus in the place of its ReLUs."""
    if kind == "softplus":
        return softplus_twin(load(f"{world}_natural_{seed}"), beta=BETA)
    return load(f"{world}_{kind}_{seed}")


def part_of(data: Data, index: Tensor | slice) -> Data:
    """The images of these numbers, with all that belongs to them."""
    names = ("images", "targets", *(("masks", "marks") if isinstance(data, PlantedShapes) else ()))
    return replace(data, **{name: getattr(data, name)[index] for name in names})


@cache
def sample(world: str, *, n: int) -> Data:
    """Images that every network compared classifies rightly: the natural ones, and for the fewer images all
    networks of the chapter."""
    kinds = ("natural", *(("softplus", *ROBUST[world]) if n < NUMBERS[world] else ()))
    models = [network(world, kind, seed) for kind in kinds for seed in samples.SEEDS]
    choose = {"fashion": samples.fashion_sample, "shapes": samples.shapes_sample}[world]
    return choose(models, n=n)


def methods(world: str) -> dict[str, Attribute]:
    """The protocol's methods, and two smoothed maps, whose noise is the same at each call."""
    local = seeded(locally_smoothed, seed=7, sigma=BUDGETS[world], penalty=1.0, samples=8)
    wide = seeded(smoothgrad, seed=7, attribute=saliency, sigma=0.15, samples=8)
    return {**nine_methods(world), **dict(zip(SMOOTHED, (local, wide), strict=True))}


def pixels_of(name: str) -> Callable[[Tensor], Tensor]:
    """From a method's map to one number for each pixel."""
    return partial(pixel_map, "saliency" if name in SMOOTHED else name)


def largest(data: Data) -> int | Tensor:
    """k of the top-k: the size of the mask, or a tenth of the pixels."""
    return data.masks.flatten(1).sum(1) if isinstance(data, PlantedShapes) else data.images[0].numel() // 10


def attack(
    world: str, name: str, model: nn.Module, data: Data, before: Tensor, *, epsilon: float, draws: Generator,
    beta: float = 30.0,
) -> Tensor:
    """The top-k attack of the protocol on the method of this name; that on IG looks at fewer steps."""
    method = methods(world)[name]
    if name == "IG":
        method = partial(integrated_gradients, baseline=BASELINES[world], steps=IG_STEPS)
    return attack_map(method, model, data.images, data.targets, objective=top_k(before, k=largest(data)),
                      pixels=pixels_of(name), epsilon=epsilon, beta=beta, generator=draws)


def explained(world: str, name: str, model: nn.Module, data: Data, images: Tensor) -> Tensor:
    """Maps of pixels of these images, for the classes of the data."""
    return pixels_of(name)(methods(world)[name](model, images, data.targets))


def left(
    world: str, name: str, model: nn.Module, data: Data, before: Tensor, images: Tensor
) -> dict[str, Tensor]:
    """Of the map at changed images: overlap with the map before (NaN where the prediction has changed),
    share in the widened mask (shapes), probability of the class; (N,) each."""
    after = explained(world, name, model, data, images)
    kept = logits(model, images).argmax(1) == data.targets
    found = {"overlap": top_overlap(before, after, k=largest(data)).where(kept, torch.nan),
             "confidence": predict(model, images).gather(1, data.targets[:, None])[:, 0]}
    if isinstance(data, PlantedShapes):
        found["mask"] = rank_accuracy(after, dilated(data.masks))
    return found


def hit(
    world: str, name: str, model: nn.Module, data: Data, *, epsilon: float, draws: Generator, **options: float
) -> dict:
    """What is left after the attack, and after noise of the same size, the mean of some draws."""
    before = explained(world, name, model, data, data.images)
    y = attack(world, name, model, data, before, epsilon=epsilon, draws=draws, **options)
    noises = [random_signs(data.images, epsilon=epsilon, generator=draws) for _ in range(NOISES)]
    noisy = [left(world, name, model, data, before, z) for z in noises]
    return {"attack": left(world, name, model, data, before, y),
            "noise": joined(noisy, lambda each: torch.stack(each).nanmean(0))}


def each_batch(world: str, n: int, found: Callable[[Data, Generator], dict]) -> dict:
    """All batches of the sample; one generator of seed 7 draws for them in turn."""
    draws, data = Generator().manual_seed(7), sample(world, n=n)
    return joined([found(part_of(data, part), draws) for part in batches(n, size=BATCH[world])], torch.cat)


def summary(found: dict) -> dict:
    """Overlaps for each image in whole numbers; all else as the means of the seeds."""
    return {
        key: summary(each) if isinstance(each, dict)
        else (10_000 * each).round() if key == "overlap" else each.nanmean(1) for key, each in found.items()
    }


def means(found: dict) -> dict:
    """Means over the images, NaN left out.  (seeds, images, ...) -> (seeds, ...)"""
    return {key: means(each) if isinstance(each, dict) else each.nanmean(1) for key, each in found.items()}


def inputs_attacked(world: str, kinds: dict[str, tuple[str, ...]], *, n: int, claims: list[str]) -> Quantity:
    """Named methods on networks of named kinds, at the protocol's budget; the softplus network is attacked
    through its own softplus, not through a sharper one."""
    beta = {"softplus": {"beta": BETA}}

    def measure(seed: int) -> dict:
        nets = {kind: network(world, kind, seed) for kind in kinds}
        return each_batch(world, n, lambda data, draws: {
            kind: {name: hit(world, name, nets[kind], data, epsilon=BUDGETS[world], draws=draws,
                             **beta.get(kind, {})) for name in names} for kind, names in kinds.items()})

    own = {"softplus is attacked": f"through its own beta {BETA}"} if "softplus" in kinds else {}
    return Quantity({**described(world, n), "claims": claims, "networks": kinds, **own}, measure, summary)


def curves(world: str, kinds: tuple[str, ...], *, n: int, levels: tuple[int, ...]) -> Quantity:
    """Saliency, attacked within some numbers of 255 grey levels."""
    def measure(seed: int) -> dict:
        nets = {kind: network(world, kind, seed) for kind in kinds}
        return each_batch(world, n, lambda data, draws: {
            kind: {"0": unchanged(world, model, data)} | {
                str(level): hit(world, "saliency", model, data, epsilon=level / 255, draws=draws)
                for level in levels} for kind, model in nets.items()})

    def finish(found: dict) -> dict:
        one, other = (found[kind] for kind in kinds[:2])
        less = {level: {change: {what: _ends(other[level][change][what] - v) for what, v in each.items()
                                 if what != "confidence"} for change, each in one[level].items()}
                for level in one if level != "0"}
        return {**means(found), "second less first": less}

    return Quantity({
        **described(world, n), "networks": kinds, "budget": f"{', '.join(map(str, levels))} / 255",
        "second less first": "paired by image: lower end, mean, upper end at 95 %",
    }, measure, finish)


def _ends(values: Tensor) -> Tensor:
    q = crossed(values, level=0.95, generator=Generator().manual_seed(7))
    return torch.tensor([q.lo, q.value, q.hi])


def unchanged(world: str, model: nn.Module, data: Data) -> dict[str, Tensor]:
    """The same of saliency where nothing was changed."""
    before = explained(world, "saliency", model, data, data.images)
    return left(world, "saliency", model, data, before, data.images)


def transfer(world: str, *, n: int) -> Quantity:
    """What an attack on one method leaves of the others' maps."""
    def measure(seed: int) -> dict:
        model = network(world, "natural", seed)

        def of_batch(data: Data, draws: Generator) -> dict:
            before = {name: explained(world, name, model, data, data.images) for name in nine_methods(world)}
            options = {"epsilon": BUDGETS[world], "draws": draws}
            images = {name: attack(world, name, model, data, before[name], **options)
                      for name in (*JUDGED, "Gradient x Input")}
            images["noise"] = random_signs(data.images, epsilon=BUDGETS[world], generator=draws)
            return {to: {name: left(world, name, model, data, heat, y)["overlap"]
                         for name, heat in before.items()} for to, y in images.items()}

        return each_batch(world, n, of_batch)

    return Quantity({**described(world, n), "rows": "attacked", "columns": "seen"}, measure, means)


def faithfulness(world: str, *, n: int) -> Quantity:
    """Spearman of a map's patches with the drop of the score when a patch is occluded (chapter 09)."""
    def measure(seed: int) -> dict:
        model, table = network(world, "natural", seed), methods(world)

        def of_batch(data: Data, _draws: Generator) -> dict:
            asked = model, data.images, data.targets
            effects = sum_over_colour(table["occlusion"](*asked))
            return {name: fidelity(pixels_of(name)(table[name](*asked)), effects, WINDOWS[world])
                    for name in ("saliency", *SMOOTHED)}

        return each_batch(world, n, of_batch)

    return Quantity({**described(world, n), "claims": ["C154"]}, measure, means)


def described(world: str, n: int) -> dict:
    """The settings in words and numbers."""
    return {
        "images": n, "sample": "right in all networks: natural"
        + ("" if n == NUMBERS[world] else f", softplus, {', '.join(ROBUST[world])}"),
        "budget": f"l-inf {round(255 * BUDGETS[world])}/255",
        "k": "size of the mask" if world == "shapes" else "10 % of the pixels",
        "attack": "top-k; 40 steps that shrink evenly from the budget, random start, softplus beta 30; IG "
        f"with {IG_STEPS} steps, its map with 64; prediction kept",
        "noise": f"{NOISES} draws of random signs of the same l-inf size, cut to [0, 1]",
        "softplus": f"natural network, beta {BETA}: the smallest of .5, 1, 2, 3, 5, 10, 30 within .01 of the "
        "accuracy (seed 0, test images below 1000)",
        "local smoothing": "mean gradient of 8 noisy copies, sigma = budget, soft threshold at its mean",
        "SmoothGrad of 8": "|gradient|, sigma .15, 8 samples", "overlap": "times 10,000 where for each image",
        "batch": f"{BATCH[world]} images; one generator of seed 7 draws for the batches in turn",
        "dtype": "float32", "threads": 1,
    }
