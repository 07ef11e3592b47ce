"""What chapter 17 records of the case: groups of crops, the cue painted out, a penalty off the mask."""

import pytest
import torch
from torch import Generator, nn

from experiments.measures import exposed, masked_training, painted_out, right_reasons
from experiments.measures.concepts import (
    SIZE,
    Crops,
    clustered,
    features,
    flagged,
    place,
    random_crops,
    top_crops,
)
from tutorial_lib.datasets import planted_shapes
from tutorial_lib.evaluation.localisation import dilated
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import logits


def chance(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture(scope="module")
def marked():
    return planted_shapes(24, generator=chance(0), cue=1.0)


class TestCrops:
    heat = torch.randn(5, 64, 64, generator=chance(1))

    def test_the_first_square_has_most_of_the_map_and_none_meets_another(self):
        crops = top_crops(self.heat)
        mass = self.heat.abs() / self.heat.abs().sum((1, 2), keepdim=True)
        for i in range(5):
            sums = mass[i].unfold(0, SIZE, 1).unfold(1, SIZE, 1).sum((2, 3))
            mine = crops.image == i
            assert mine.sum() == 3 and crops.share[mine].max() == pytest.approx(sums.max().item(), rel=1e-4)
            covered = crops.pixels(64)[mine]
            assert covered.sum(0).max() == 1 and (covered.sum((1, 2)) == SIZE**2).all()
            found = (mass[i] * covered).sum((1, 2))
            assert torch.allclose(found, crops.share[mine], rtol=1e-4)

    def test_a_spot_is_found_and_random_squares_do_not_find_it(self):
        heat = torch.full((6, 64, 64), 0.01)
        heat[:, 30:33, 40:43] = -5
        crops = top_crops(heat)[0:4]
        first = Crops(*(part[:6] for part in crops))
        assert first.pixels(64)[:, 31, 41].all() and (first.share > 0.5).all()
        others = random_crops(heat, generator=chance(2))
        assert len(others.image) == 18 and others.pixels(64)[:, 31, 41].sum() < 6
        assert torch.allclose(others.share, (heat.abs() / heat[0].abs().sum())[others.image].mul(
            others.pixels(64)).sum((1, 2)), rtol=1e-4)
        assert others.row.max() <= 64 - SIZE and others.row.min() >= 0

    def test_features_see_the_crop_and_nothing_else(self, marked):
        model, x = load("shapes_shortcut_100"), marked.images.clone()
        crops = top_crops(torch.randn(24, 64, 64, generator=chance(3)))
        read = features(model, x, crops)
        x[~crops.pixels(64)[:24].any(0).expand(24, 3, 64, 64)] = 0.9
        hidden = torch.stack([crops.pixels(64)[crops.image == i].any(0) for i in range(24)])
        elsewhere = torch.where(hidden[:, None], marked.images, 0.9)
        assert torch.allclose(features(model, elsewhere, crops), read, atol=1e-4)
        assert read.shape == (72, 64) and read.mean(0).abs().max() < 1e-4

    def test_groups_of_points_that_lie_together_are_found(self):
        centres = 20 * torch.randn(10, 6, generator=chance(4))
        true = torch.arange(10).repeat_interleave(12)
        group = clustered(centres[true] + 0.1 * torch.randn(120, 6, generator=chance(5)))
        pairs = {(a, b) for a, b in zip(true.tolist(), group.tolist(), strict=True)}
        assert len(pairs) == 10 == len({b for _, b in pairs})

    def test_the_flag_goes_to_the_largest_mean_share_but_not_to_a_single_crop(self):
        group = torch.tensor([0] * 60 + [1] * 59 + [2])
        share = torch.tensor([0.1] * 60 + [0.3] * 59 + [0.9])
        some = torch.zeros(120, dtype=torch.long)
        chosen = flagged(Crops(some, some, some, share), group)
        assert torch.equal(chosen, group == 1)

    def test_the_place_is_the_square_that_most_members_cover(self):
        row, column = torch.tensor([0, 1, 0, 50, 40]), torch.tensor([1, 0, 1, 50, 3])
        crops = Crops(torch.arange(5), row, column, torch.ones(5))
        area = place(crops, torch.tensor([True, True, True, True, False]), side=64)
        assert area.sum() == SIZE**2 and area[1:12, 1:12].all()


class TestPaintedOut:
    def test_the_images_are_those_of_the_protocol(self):
        drawn = painted_out.drawn(6, 1.0).images
        assert torch.equal(drawn, planted_shapes(6, generator=chance(7), cue=1.0).images)

    def test_a_crop_shows_the_mark_if_it_covers_half_of_it(self, marked):
        """The mark has rows and columns 2 to 8."""
        row = torch.tensor([0, 4, 5, 6, 20])
        crops = Crops(torch.arange(5), row, torch.zeros(5, dtype=torch.long), torch.ones(5))
        assert exposed.shows_the_mark(crops, marked).tolist() == [True, True, True, False, False]

    def test_the_shortcut_network_is_found_out_and_a_sound_one_is_not(self, marked):
        """On 24 images of the tuning part."""
        found = {}
        for name in ("shapes_shortcut_100", "shapes_natural_100"):
            model = load(name)
            crops = top_crops(painted_out.heat(model, marked))
            groups, area = exposed.exposed(model, marked, crops)
            purity = groups["purity"]
            assert (groups["square"] == area.nonzero()[0]).all() and groups["table"][:, 0].sum() == 72
            found[name] = purity[purity.isfinite()].mean().item(), area[3:8, 3:8].all().item()
        assert found["shapes_shortcut_100"] == (1, True) and found["shapes_natural_100"] == (0, False)

    def test_the_table_counts_each_group(self):
        group, share = torch.tensor([0, 3, 3, 0, 0]), torch.tensor([0.1, 0.2, 0.4, 0.3, 0.2])
        found = exposed.table(group, share, torch.tensor([True, False, True, False, False]))
        assert found[0].tolist() == pytest.approx([3, 0.2, 1 / 3])
        assert found[3].tolist() == pytest.approx([2, 0.3, 0.5]) and found[1, 0] == 0 and found[1, 1].isnan()

    def test_only_the_square_of_the_training_images_is_painted(self, monkeypatch):
        few = planted_shapes(12, generator=chance(1), cue=1.0)
        monkeypatch.setattr(painted_out, "shapes_data", lambda _folder, cue: (few.images, few.targets))
        area = torch.zeros(64, 64, dtype=torch.bool)
        area[:SIZE, :SIZE] = True
        images, target = painted_out.without(area, None, 1.0)
        assert (images[:, :, area] == 0.5).all() and torch.equal(images[:, :, ~area], few.images[:, :, ~area])
        assert torch.equal(target, few.targets)

    def test_grad_cam_of_the_suspect_looks_at_the_mark_and_its_report_warns(self, marked, monkeypatch):
        monkeypatch.setattr(painted_out, "REPORTED", 4)
        found = {name: painted_out.looked_at(load(name), marked)
                 for name in ("shapes_shortcut_100", "shapes_natural_100")}
        suspect, sound = (each["Grad-CAM"].mean(1) for each in found.values())
        assert suspect[1] > 0.5 > suspect[0] and sound[0] > 0.5 > sound[1]
        warned = [each["warns"][painted_out.COLUMNS.index("one window")].item() for each in found.values()]
        assert warned == [1, 0]
        maps = found["shapes_shortcut_100"]["maps"]
        assert maps.shape == (3, 16, 16) and (maps.flatten(1).argmax(1) < 5 * 16).sum() >= 2


class TestRightReasons:
    def test_the_penalty_is_the_squared_gradient_off_the_mask(self, marked):
        """Against a gradient that is taken by hand, image by image."""
        model, images = load("shapes_natural_100"), marked.images[:4]
        off = (~dilated(marked.masks[:4]))[:, None].float()
        x, target = torch.cat([images, off], 1), marked.targets[:4]
        points = images.clone().requires_grad_()
        mean = model(points).log_softmax(1).mean(1).sum()
        gradient = torch.autograd.grad(mean, points)[0]
        wanted = (off * gradient**2).sum() / 4 * masked_training.WEIGHT
        loss = nn.functional.cross_entropy(model(images), target)
        found = masked_training.penalised(model, x, target, chance(0))
        assert found.item() == pytest.approx((wanted + loss).item(), rel=1e-4) and wanted > 0
        each = masked_training.slope(model, images, off).mean() * masked_training.WEIGHT
        assert each.item() == pytest.approx(wanted.item(), rel=1e-4)

    def test_the_penalty_can_be_trained_on(self, marked):
        model = load("shapes_natural_100").requires_grad_(True)
        x = torch.cat([marked.images[:4], torch.ones(4, 1, 64, 64)], 1)
        masked_training.penalised(model, x, marked.targets[:4], chance(0)).backward()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)

    def test_the_fourth_channel_is_one_off_the_widened_mask(self, monkeypatch, marked):
        monkeypatch.setattr(masked_training, "planted_shapes", lambda n, generator, cue: marked)
        x, target = masked_training.with_masks(None, 1.0)
        assert torch.equal(x[:, :3], marked.images) and torch.equal(x[:, 3] == 0, dilated(marked.masks))
        assert torch.equal(target, marked.targets)

    def test_grad_cam_of_a_sound_network_lies_on_the_shape_and_of_the_suspect_does_not(self, marked):
        sound, suspect = (right_reasons.on_the_mask(load(name), marked)
                          for name in ("shapes_natural_100", "shapes_shortcut_100"))
        assert sound["Grad-CAM"][:, 0].mean() > 0.6 > 0.3 > suspect["Grad-CAM"][:, 0].mean()
        assert sound["another image"][:, 0].mean() < sound["Grad-CAM"][:, 0].mean()
        assert torch.equal(sound["edge filter"], suspect["edge filter"])

    def test_cues_are_those_of_the_protocol(self):
        swapped, own = (right_reasons.drawn(12, cue) for cue in (0.0, 1.0))
        model = load("shapes_shortcut_100")
        assert (logits(model, own.images).argmax(1) == own.targets).float().mean() > 0.9
        assert (logits(model, swapped.images).argmax(1) == swapped.targets).float().mean() < 0.1
