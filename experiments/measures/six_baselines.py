"""C117: integrated gradients, DeepLIFT and expected gradients from six baselines, beside methods without."""

from functools import partial

import torch
from torch import Generator, Tensor

from experiments import worlds
from experiments.measures.five_metrics import BATCH, Maps, left_over, unexplained
from experiments.measures.known_quality import steps_from
from experiments.measures.smoothing import some_square
from experiments.measures.starts import IN_WORDS, KINDS, Table, starts, with_baseline
from experiments.runner import Quantity, batches, joined
from experiments.worlds import BASELINES, NUMBERS, pixel_map
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained

NEED_ONE = ("IG", "DeepLIFT")


def beside(world: str) -> Table:
    """The methods that need no baseline, expected gradients from training images, and two controls."""
    free = {name: m for name, m in worlds.nine_methods(world).items() if name not in NEED_ONE}
    return {**free, "expected gradients": worlds.more_methods(world)["expected gradients"],
            "random map": seeded(random_map, seed=70), "edge filter": edge_filter}


def on_the_mask(maps: Maps, masks: Tensor) -> dict[str, Maps]:
    """Rank accuracy in the mask widened by two pixels and in the mask itself, (N,)."""
    heats = {name: pixel_map(name, a) for name, a in maps.items()}
    return {kind: {name: rank_accuracy(heat, mask) for name, heat in heats.items()}
            for kind, mask in (("wide", dilated(masks)), ("narrow", masks))}


def own_question(
    model: torch.nn.Module, x: Tensor, target: Tensor, maps: Maps, begin: Maps, draws: Generator
) -> Maps:
    """What the maps from a kind of baseline leave unexplained by squares of this baseline, (N,)."""
    found = {}
    for kind, start in begin.items():
        steps = steps_from(start, x, smallest=1e-6)
        rates = {name: a / steps for name, a in maps.items() if name.endswith(f", {kind}")}
        perturb = partial(some_square, baseline=start)
        found |= unexplained(model, x, target, rates, perturb=perturb, draws=draws)
    return found


def summary(found: dict) -> dict:
    """Means over the images, and the first images of the squares or of the widened mask."""
    judged = found["wide" if "wide" in found else "squares"]
    return {
        "mean": {kind: {name: v.nanmean(1) for name, v in each.items()} for kind, each in found.items()},
        "first images": {name: v[0, :BATCH] for name, v in judged.items()},
    }


def six_baselines(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    n, mean = NUMBERS[world], worlds.average(world)

    def measure(seed: int) -> dict:
        data, model = worlds.SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        x, target = data.images, data.targets
        begin = {kind: start.expand_as(x) for kind, start in starts(x, mean).items() if kind in KINDS}
        table = {**with_baseline(x, mean), **beside(world)}
        maps, parts = {name: method(model, x, target) for name, method in table.items()}, []
        draws, others = (Generator().manual_seed(7) for _ in range(2))
        for p in batches(n, size=BATCH):
            here = model, x[p], target[p], {name: a[p] for name, a in maps.items()}
            own = own_question(*here, {kind: start[p] for kind, start in begin.items()}, others)
            parts.append({**left_over(world, *here, draws), "squares, own": own})
        return joined(parts, torch.cat) | (on_the_mask(maps, data.masks) if world == "shapes" else {})

    return Quantity({
        "claims": ["C117"], "networks": f"{world}_natural", "images": n, **IN_WORDS,
        "squares, noisy baseline": "share of E[Δ²] that is left at the best factor, 50 draws around "
        f"{BASELINES[world].item()}, whatever the baseline of the method; maps of shares divided by x - it",
        "squares, own": "the same for squares of the method's own baseline; noise: those that IG has",
        "wide, narrow": "rank accuracy in the mask widened by two pixels, and in the mask",
        "beside": worlds.described(world), "first images": f"seed 100, {BATCH}: "
        + ("wide" if world == "shapes" else "squares"), "mean": "over the images: seeds",
        "batch": f"{BATCH} images; a generator of seed 7 draws for them in turn, the maps are made before",
        "dtype": "float32", "threads": 1,
    }, measure, summary)
