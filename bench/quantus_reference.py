"""What Quantus finds, where its conventions and ours can be made the same: python -m bench.quantus_reference

It writes tests/data/quantus_reference.json; the test that reads the file does not need Quantus.
"""
import json
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from tutorial_lib.attribution.gradients import gradient_x_input
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import input_gradient

FILE = Path(__file__).parents[1] / "tests" / "data" / "quantus_reference.json"
SETTINGS = {
    "network": "fashion_natural_100", "images": 4, "seed of the images": 0, "seed of the subsets": 1,
    "seed of the weights": 2, "pixels in a step": 56, "pixels in a subset": 235, "subsets": 60,
}
ALIKE = {"normalise": False, "disable_warnings": True, "return_aggregate": False}


def inputs() -> tuple[nn.Module, Tensor, Tensor]:
    """The network, images without equal pixels, and the classes that it finds."""
    model = load(SETTINGS["network"])
    generator = torch.Generator().manual_seed(SETTINGS["seed of the images"])
    x = torch.rand(SETTINGS["images"], 1, 28, 28, generator=generator)
    return model, x, model(x).argmax(1)


def pixel_flipping(quantus, call: dict) -> list:
    """The logit after each step, 0 for the highest pixels; "black" would be the darkest of each image."""
    metric = quantus.PixelFlipping(
        features_in_step=SETTINGS["pixels in a step"], perturb_baseline=0.0, **ALIKE
    )
    return metric(**call, softmax=False)


def faithfulness_correlation(quantus, call: dict) -> list:
    """Of subsets of one size; NumPy's old generator, from which Quantus draws them, is frozen."""
    np.random.seed(SETTINGS["seed of the subsets"])
    metric = quantus.FaithfulnessCorrelation(
        subset_size=SETTINGS["pixels in a subset"], nr_runs=SETTINGS["subsets"], perturb_baseline=0.0,
        **ALIKE,
    )
    return metric(**call, softmax=False)


def randomisation(quantus, call: dict, *, absolute: bool) -> dict:
    """MPRT, top down, over the gradient's maps. Quantus starts each layer anew from one seed as its class
    does; here a layer gets what Adebayo et al. give it, its own mean and spread."""
    generator = torch.Generator().manual_seed(SETTINGS["seed of the weights"])

    def reset(layer: nn.Module) -> None:
        with torch.no_grad():
            for p in layer.parameters():
                p.copy_(p.mean() + torch.randn(p.shape, generator=generator) * p.std(correction=0))

    def explain(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_options) -> np.ndarray:
        return input_gradient(model, torch.as_tensor(inputs), torch.as_tensor(targets)).numpy()

    with patch.object(nn.Conv2d, "reset_parameters", reset):
        metric = quantus.MPRT(layer_order="top_down", abs=absolute, **ALIKE)
        return metric(**{**call, "a_batch": None}, explain_func=explain)


def reference() -> dict:
    """Everything that the file holds."""
    import quantus

    model, x, target = inputs()
    maps = gradient_x_input(model, x, target).numpy()
    call = {"model": model, "x_batch": x.numpy(), "y_batch": target.numpy(), "a_batch": maps, "device": "cpu"}
    return {
        "versions": {name: version(name) for name in ("quantus", "torch", "numpy")},
        "settings": SETTINGS,
        "pixel flipping": pixel_flipping(quantus, call),
        "faithfulness correlation": faithfulness_correlation(quantus, call),
        "randomisation": {
            name: randomisation(quantus, call, absolute=absolute)
            for name, absolute in (("absolute", True), ("signed", False))
        },
    }


def rounded(found):
    """Seven digits are more than the tests ask for."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    return [rounded(value) for value in found] if isinstance(found, list) else (
        round(found, 7) if isinstance(found, float) else found
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps(rounded(reference()), indent=1, ensure_ascii=False) + "\n", "utf8")
