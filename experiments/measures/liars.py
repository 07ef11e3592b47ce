"""A network of the case tuned to hide its cue from saliency: what each map shows of it, before and after."""

from torch import Generator, Tensor, nn

from experiments.runner import Quantity
from experiments.worlds import nine_methods, pixel_map
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.datasets import PlantedShapes, planted_shapes
from tutorial_lib.evaluation.localisation import dilated, mass_share, peak_hits
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.attribution_attacks import with_moved_saliency
from tutorial_lib.scores import logits

LESSONS, TESTS, MAPS, NEAR = 480, 120, 60, 3


def tuned(seed: int) -> nn.Module:
    """The case's network of this seed, with its saliency moved from the mark to the shape."""
    data = planted_shapes(LESSONS, generator=Generator().manual_seed(1), cue=1.0)
    return with_moved_saliency(load(f"shapes_shortcut_{seed}"), data.images, data.targets, away=data.marks,
                               onto=data.masks, generator=Generator().manual_seed(7))


def shown(data: PlantedShapes, heat: Tensor) -> dict[str, Tensor]:
    """Whether the peak lies near the mark, the mass on the mark and on the shape, (N,) each."""
    return {
        "peak near the mark": peak_hits(heat, dilated(data.marks, by=NEAR)).double(),
        "mass on the mark": mass_share(heat, data.marks),
        "mass on the shape": mass_share(heat, data.masks),
    }


def liars() -> Quantity:
    """Suspect, liar and an honest network of each seed."""
    def measure(seed: int) -> dict:
        nets = {"suspect": load(f"shapes_shortcut_{seed}"), "liar": tuned(seed),
                "honest": load(f"shapes_natural_{seed}")}
        tests = planted_shapes(TESTS, generator=Generator().manual_seed(7), cue=1.0)
        wrong = planted_shapes(TESTS, generator=Generator().manual_seed(7), cue=0.0)
        seen = planted_shapes(MAPS, generator=Generator().manual_seed(7), cue=1.0)
        blind = {"random map": seeded(random_map, seed=8), "edge filter": edge_filter}
        answers = {who: logits(net, wrong.images).argmax(1) for who, net in nets.items()}
        found = {who: {"right": (logits(net, tests.images).argmax(1) == tests.targets).double(),
                       "right with another mark": (answers[who] == wrong.targets).double(),
                       "answers of the suspect": (answers[who] == answers["suspect"]).double()}
                 for who, net in nets.items()}
        for name, method in {**nine_methods("shapes"), **blind}.items():
            for who, net in nets.items():
                heat = pixel_map(name, method(net, seen.images, seen.targets))
                found[who][name] = shown(seen, heat)
        return found

    def finish(found: dict) -> dict:
        return {key: finish(each) if isinstance(each, dict) else each.double().nanmean(1)
                for key, each in found.items()}

    return Quantity({
        "claims": [], "networks": "shapes_shortcut; each after the tuning; shapes_natural",
        "tuning": f"with_moved_saliency from the mark to the shape, {LESSONS} images of generator seed 1",
        "tests": f"{TESTS} images of generator seed 7, with the class's mark and with another one's; "
        f"{MAPS} of them explained", "near": f"within {NEAR} pixels of the mark",
        "values": "means over the images: network, what: seeds", "dtype": "float32", "threads": 1,
    }, measure, finish)
