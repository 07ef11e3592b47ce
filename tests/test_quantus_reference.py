"""Removal, Sensitivity-n and the cascade against values that Quantus found on the same inputs
(bench/quantus_reference.py). The networks run in float32 on both sides, so 1e-4 is asked for."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from bench.quantus_reference import FILE, SETTINGS, inputs
from tutorial_lib.attribution.gradients import gradient_x_input
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.evaluation import fidelity
from tutorial_lib.evaluation.agreement import rank_correlations, signed_rank_correlations
from tutorial_lib.evaluation.fidelity import sensitivity_n
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import removal_curves
from tutorial_lib.evaluation.sanity import cascade, weighted_layers
from tutorial_lib.scores import input_gradient

FOUND = json.loads(FILE.read_text("utf8"))
BLACK = partial(constant, value=torch.zeros(1))


@pytest.fixture(scope="module")
def task():
    return inputs()


def heat(task):
    return {"map": sum_over_colour(gradient_x_input(*task))}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def difference(ours, theirs):
    """The largest, in units of the largest value."""
    theirs = torch.tensor(theirs, dtype=torch.float64)
    assert ours.shape == theirs.shape
    return ((ours.double() - theirs).abs().max() / theirs.abs().max()).item()


def test_the_file_was_made_with_the_settings_of_the_script():
    assert FOUND["settings"] == SETTINGS


def test_removal_curves_are_quantus_pixel_flipping(task):
    steps = 28**2 // SETTINGS["pixels in a step"]
    options = {"order": "morf", "fill": BLACK, "steps": steps, "generator": generator()}
    curves = removal_curves(*task, heat(task), **options)["map"]
    assert difference(curves[:, 1:], FOUND["pixel flipping"]) < 1e-4  # Quantus leaves out the first point


def test_sensitivity_n_on_quantus_subsets_is_its_faithfulness_correlation(task, monkeypatch):
    draws = np.random.RandomState(SETTINGS["seed of the subsets"])

    def as_quantus(x, n, _generator):
        removed = np.zeros((len(x), 28**2), dtype=bool)
        for image in removed:
            image[draws.choice(28**2, n, replace=False)] = True
        return torch.from_numpy(removed).view(len(x), 1, 28, 28)

    monkeypatch.setattr(fidelity, "_random_pixels", as_quantus)
    options = {"sizes": [SETTINGS["pixels in a subset"]], "subsets": SETTINGS["subsets"]}
    found = sensitivity_n(*task, heat(task), **options, fill=BLACK, generator=generator())["map"]
    assert difference(found[:, 0], FOUND["faithfulness correlation"]) < 1e-4


@pytest.mark.parametrize(
    ("kind", "likeness"), [("absolute", rank_correlations), ("signed", signed_rank_correlations)]
)
def test_the_cascade_of_the_gradient_is_quantus_parameter_randomisation(task, kind, likeness):
    model, x, target = task
    first, theirs = input_gradient(*task), dict(FOUND["randomisation"][kind])
    assert theirs.pop("original") == pytest.approx([1.0] * len(x))
    layers = weighted_layers(model)
    assert list(theirs) == layers
    networks = cascade(model, layers, generator=generator(SETTINGS["seed of the weights"]))
    ours = [likeness(first, input_gradient(changed, x, target)) for _, changed in networks]
    assert difference(torch.stack(ours), list(theirs.values())) < 1e-4
