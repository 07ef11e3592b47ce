"""C75: is the model wrong, or the map? What scores without ground truth tell, and what the truth tells."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.logistic import auroc, logistic
from experiments.measures.removal import STEPS
from experiments.measures.smoothing import SAMPLES_OF_I, some_square
from experiments.measures.stability import DRAWS, RADIUS
from experiments.runner import Quantity, batches, joined
from experiments.worlds import GREY
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.datasets import planted_shapes
from tutorial_lib.evaluation.fidelity import infidelity
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.localisation import dilated, mass_share
from tutorial_lib.evaluation.removal import area, removal_curves
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import balanced, trained

IMAGES, THIRD, BATCH = 204, 68, 34  # six classes divide 204; 68: the last case
RIDGE = 0.01
BLIND, SEEING = ("MoRF", "LeRF", "infidelity", "max-sensitivity"), ("on the shape", "on the mark")
CASES = ("wrong model, right map", "right model, wrong map", "right model, right map")
PAIRS = {"model or map": CASES[:2], "model": (CASES[0], CASES[2]), "map": (CASES[2], CASES[1])}


def sample(n: int = IMAGES) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Planted shapes with the mark that all ten networks classify rightly; classes; widened masks, marks."""
    data = planted_shapes(2 * n, generator=Generator().manual_seed(7), cue=1.0)
    chosen = balanced(trained("shapes_natural") + trained("shapes_shortcut"), data.images, data.targets, n=n)
    return data.images[chosen], data.targets[chosen], (dilated(data.masks)[chosen], data.marks[chosen])


def cases(seed: int) -> dict[str, tuple[nn.Module, nn.Module]]:
    """In each case the network that decides, and the one whose map is shown."""
    natural, shortcut = (load(f"shapes_{kind}_{seed}") for kind in ("natural", "shortcut"))
    blank = randomised(natural, "", generator=Generator().manual_seed(7))
    return dict(zip(CASES, ((shortcut, shortcut), (natural, blank), (natural, natural)), strict=True))


def grades(decides: nn.Module, shown: nn.Module, x: Tensor, target: Tensor, truth: tuple) -> dict:
    """The four scores without ground truth and the two with it, (N,) each."""
    def method(_model: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        return saliency(shown, images, classes)

    probability, draws = nn.Sequential(decides, nn.Softmax(1)).eval(), Generator().manual_seed(7)
    raw, fill = method(decides, x, target), partial(constant, value=GREY)
    heat, found = max_over_colour(raw), {}
    for label in ("MoRF", "LeRF"):
        ties = Generator().manual_seed(7)
        found[label] = area(removal_curves(
            probability, x, target, {"map": heat}, order=label.lower(), steps=STEPS, fill=fill, generator=ties
        )["map"])
    perturb, pair = partial(some_square, baseline=GREY), {"map": raw, "nothing": torch.zeros_like(raw)}
    misses = infidelity(decides, x, target, pair, perturb=perturb, samples=SAMPLES_OF_I, generator=draws)
    found["infidelity"] = misses["map"].scaled / misses["nothing"].plain
    found["max-sensitivity"] = max_sensitivity(
        {"map": method}, decides, x, target, radius=RADIUS, samples=DRAWS, generator=draws
    )["map"].relative
    return found | {key: mass_share(heat, mask) for key, mask in zip(SEEING, truth, strict=True)}


def judged(found: dict, pair: tuple[str, str], names: tuple[str, ...]) -> Tensor:
    """What a rule that was fitted on the other seeds says of the maps, high for the first case of the `pair`:
    (seeds, N, 2). A grade that is NaN counts as the median."""
    images = THIRD if CASES[2] in pair else IMAGES
    cut = {case: torch.stack([found[case][n][:, :images] for n in names], -1).double() for case in pair}
    x = torch.stack(list(cut.values()), 2)
    x = torch.where(x.isfinite(), x, x.flatten(0, 2).nanmedian(0).values)
    said = []
    for seed in range(len(x)):
        others = torch.cat([x[:seed], x[seed + 1 :]]).flatten(0, 2)
        mean, spread = others.mean(0), others.std(0)
        labels = torch.tensor([1.0, 0.0]).to(x).repeat(len(others) // 2)
        w = logistic((others - mean) / spread, labels, ridge=RIDGE)
        said.append((x[seed] - mean) / spread @ w[:-1] + w[-1])
    return torch.stack(said)


def summary(found: dict) -> dict:
    """What the judged rule says in hundredths; AUROCs; means of the grades, and those of the first images."""
    kinds = {"blind": BLIND, "seeing": SEEING}
    said = {name: {kind: judged(found, pair, names) for kind, names in kinds.items()}
            for name, pair in PAIRS.items()}
    return {
        "said": (100 * said["model or map"]["blind"]).round(),
        "auroc": {name: {kind: auroc(v) for kind, v in each.items()} for name, each in said.items()},
        "mean": {case: {key: v.nanmean(1) for key, v in grade.items()} for case, grade in found.items()},
        "first images": {case: {key: v[0, :4] for key, v in grade.items()} for case, grade in found.items()},
    }


def errors() -> Quantity:
    """A natural and a shortcut network a seed, all on the same images, which carry the mark."""
    def measure(seed: int) -> dict:
        x, target, truth = sample()
        return {case: joined([grades(*models, x[p], target[p], tuple(t[p] for t in truth))
                              for p in batches(THIRD if case == CASES[2] else IMAGES, size=BATCH)], torch.cat)
                for case, models in cases(seed).items()}

    return Quantity({
        "claims": ["C75"], "networks": ["shapes_natural", "shapes_shortcut"], "images": IMAGES, "cue": 1.0,
        "images of the last case": THIRD,
        "cases": CASES, "blind": BLIND, "seeing": SEEING, "method": "|gradient|, largest channel",
        "removal": f"area under the curve of the probability, {STEPS} steps, fill 0.5",
        "infidelity": f"at the best factor over E[Δ²], {SAMPLES_OF_I} squares of 2 to 20 pixels, set to 0.5",
        "max-sensitivity": f"relative, radius {RADIUS}, {DRAWS} draws, decision unchanged",
        "said": f"by a logistic rule (ridge {RIDGE}, standardised) on the blind scores, fitted on the "
        "other four seeds, times 100: seeds x images x the first two cases", "auroc": "seeds",
        "mean": "over the images: seeds", "first images": "seed 100",
        "batch": f"{BATCH} images; generators of seed 7 in each", "dtype": "float32", "threads": 1,
    }, measure, summary)
