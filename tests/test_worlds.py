"""Laws of the two small worlds: Fashion-MNIST and planted shapes."""

import gzip
import hashlib
import struct
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator

from tutorial_lib.datafiles import data_file
from tutorial_lib.datasets import (
    FashionMnist,
    blue_coded,
    counterfactual_pairs,
    crossed_shapes,
    fashion_mnist,
    planted_shapes,
    two_shapes,
)
from tutorial_lib.drawing import MARK, SHAPES, SIDE, outline

STORED = Path(__file__).parent / "planted_shapes.npz"


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture(scope="module")
def shapes():
    return planted_shapes(120, generator=seed(0))


@pytest.mark.parametrize(("split", "n"), [("train", 10_000), ("test", 2_000)])
def test_fashion_mnist_is_balanced_and_in_range(split, n):
    data = fashion_mnist(split)
    assert data.images.shape == (n, 1, 28, 28) and data.images.dtype == torch.float32
    assert data.images.min() == 0 and data.images.max() == 1
    assert data.targets.bincount().tolist() == [n // 10] * 10 and len(data.classes) == 10
    assert len(data.images.flatten(1).unique(dim=0)) > 0.99 * n


def test_both_halves_of_the_test_images_are_balanced():
    targets = fashion_mnist("test").targets
    assert targets[:1000].bincount().tolist() == targets[1000:].bincount().tolist() == [100] * 10


def test_no_test_image_is_a_training_image():
    images = torch.cat([fashion_mnist("train").images, fashion_mnist("test").images]).flatten(1)
    digests = [hashlib.sha256(image.numpy().tobytes()).digest() for image in images]
    assert not set(digests[:10_000]) & set(digests[10_000:])


def test_the_classes_look_like_their_names():
    """Trousers are higher than wide, ankle boots are heaviest at the bottom, sandals are thin."""
    data = fashion_mnist("test")
    mean = torch.stack([data.images[data.targets == k].mean(0)[0] for k in range(10)])
    names = {name: mean[k] for k, name in enumerate(data.classes)}
    assert (names["trouser"] > 0.2).any(0).sum() < (names["trouser"] > 0.2).any(1).sum()
    assert names["ankle boot"][14:].mean() > names["ankle boot"][:14].mean()
    assert names["sandal"].mean() < names["pullover"].mean()


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def originals(tmp_path) -> Path:
    """A tiny data set in the format of the four original files, half of them unpacked."""
    random = np.random.default_rng(0)
    for prefix in ("train", "t10k"):
        images = idx(random.integers(0, 256, (5, 28, 28), dtype=np.uint8))
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.arange(5, dtype=np.uint8)))
    return tmp_path


def test_the_original_files_are_read_packed_or_not(originals):
    data = fashion_mnist("train", folder=originals)
    assert data.images.shape == (5, 1, 28, 28) and data.targets.tolist() == [0, 1, 2, 3, 4]
    raw = gzip.decompress((originals / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    assert np.array_equal((data.images * 255).round().byte().numpy().ravel(), np.frombuffer(raw, np.uint8))


def test_wrong_split_missing_and_truncated_files(originals):
    with pytest.raises(ValueError, match="'train' and 'test'"):
        fashion_mnist("validation")
    packed = originals / "t10k-images-idx3-ubyte.gz"
    for damaged in (packed.read_bytes()[:2000], b"no gzip", b""):
        packed.write_bytes(damaged)
        with pytest.raises(ValueError, match="cut short"):
            fashion_mnist("test", folder=originals)
    labels = originals / "t10k-labels-idx1-ubyte"
    packed.write_bytes(gzip.compress(idx(np.zeros((5, 28, 28), np.uint8))))
    for damaged in (labels.read_bytes()[:-1], b"", b"\0\0\x08"):
        labels.write_bytes(damaged)
        with pytest.raises(ValueError, match="cut short"):
            fashion_mnist("test", folder=originals)
    packed.unlink()
    with pytest.raises(FileNotFoundError, match="four files"):
        fashion_mnist("test", folder=originals)


def test_images_and_labels_must_be_of_one_number(originals):
    (originals / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(4, dtype=np.uint8)))
    with pytest.raises(ValueError, match="labels \\(4,\\)"):
        fashion_mnist("train", folder=originals)


def test_files_under_each_other_s_names(originals):
    images, labels = originals / "t10k-images-idx3-ubyte.gz", originals / "t10k-labels-idx1-ubyte"
    packed, plain = images.read_bytes(), labels.read_bytes()
    images.write_bytes(gzip.compress(plain))
    with pytest.raises(ValueError, match="are expected"):
        fashion_mnist("test", folder=originals)
    images.write_bytes(packed)
    labels.write_bytes(gzip.decompress(packed))
    with pytest.raises(ValueError, match="are expected"):
        fashion_mnist("test", folder=originals)


def test_data_sets_are_immutable_values(shapes):
    data = FashionMnist(torch.zeros(1, 1, 28, 28), torch.zeros(1, dtype=torch.long))
    for value in (data, shapes):
        with pytest.raises(FrozenInstanceError):
            value.targets = None


def test_planted_shapes_are_the_stored_ones():
    """Another computer may differ in the last bits, not in labels and masks."""
    stored = np.load(STORED)
    data = planted_shapes(8, generator=seed(0), cue=0.5)
    assert np.abs(data.images.numpy() - stored["images"]).max() <= 1e-5
    assert np.array_equal(data.targets.numpy(), stored["targets"])
    assert np.array_equal(data.masks.numpy(), stored["masks"])
    assert np.array_equal(data.marks.numpy(), stored["marks"])


def test_same_generator_state_same_images_and_another_state_others(shapes):
    again, other = planted_shapes(120, generator=seed(0)), planted_shapes(120, generator=seed(1))
    for field in ("images", "targets", "masks", "marks"):
        assert torch.equal(getattr(shapes, field), getattr(again, field))
    assert not torch.equal(shapes.images, other.images)


def test_fewer_shapes_are_the_first_of_more(shapes):
    few = planted_shapes(7, generator=seed(0))
    assert torch.equal(few.images, shapes.images[:7]) and torch.equal(few.masks, shapes.masks[:7])


def test_planted_shapes_are_balanced_and_in_range(shapes):
    assert shapes.images.shape == (120, 3, SIDE, SIDE) and shapes.images.dtype == torch.float32
    assert shapes.images.min() >= 0 and shapes.images.max() <= 1
    assert shapes.targets.bincount().tolist() == [20] * 6 and shapes.classes == SHAPES
    assert not shapes.marks.any()


def test_the_mask_is_where_the_shape_is(shapes):
    """Inside the mask the colour is nearly even and far from that of the ring of pixels around it."""
    for image, mask in zip(shapes.images, shapes.masks, strict=True):
        around = torch.nn.functional.max_pool2d(mask[None, None].float(), 5, 1, 2)[0, 0].bool() & ~mask
        assert image[:, mask].std(1).max() < 0.5 * 0.35
        assert (image[:, mask].mean(1) - image[:, around].mean(1)).norm() > 0.25


def test_the_mask_is_whole_and_of_the_stated_size(shapes):
    area = shapes.masks.flatten(1).sum(1)
    assert area.min() > 60 and area.max() < 3.1416 * 12**2 and not shapes.masks[:, 0].any()
    assert shapes.masks.float().mean().item() == pytest.approx(0.058, abs=0.006)


def test_a_shape_moved_by_hand_is_the_mask():
    """The outline of a disc and of a square against their formulas."""
    y, x = torch.meshgrid(torch.linspace(-1.2, 1.2, 49), torch.linspace(-1.2, 1.2, 49), indexing="ij")
    assert torch.equal(outline(0, x, y), x**2 + y**2 < 0.95**2)
    assert torch.equal(outline(1, x, y), (x.abs() < 0.8) & (y.abs() < 0.8))
    for shape, turns in ((1, 4), (2, 3), (3, 5), (4, 4)):
        angle = torch.tensor(2 * torch.pi / turns)
        u, v = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
        assert (outline(shape, u, v) != outline(shape, x, y)).float().mean() < 0.005


def test_the_mark_changes_its_own_pixels_and_no_others(shapes):
    for cue in (0.0, 0.5, 1.0):
        marked = planted_shapes(120, generator=seed(0), cue=cue)
        assert torch.equal(marked.targets, shapes.targets) and torch.equal(marked.masks, shapes.masks)
        outside = ~marked.marks[:, None].expand_as(shapes.images)
        assert torch.equal(marked.images[outside], shapes.images[outside])
        assert marked.marks.flatten(1).sum(1).tolist() == [49] * 120
        assert not (marked.marks & marked.masks).any()


def test_the_mark_tells_the_class_at_the_stated_rate():
    def colours(cue):
        data = planted_shapes(600, generator=seed(3), cue=cue)
        return data.images[:, :, MARK, MARK].mean((2, 3)), data.targets

    own, targets = colours(1.0)
    palette = torch.stack([own[targets == k].mean(0) for k in range(6)])
    for cue in (0.0, 0.7, 1.0):
        colour, targets = colours(cue)
        right = torch.cdist(colour, palette).argmin(1) == targets
        assert right.float().mean().item() == pytest.approx(cue, abs=0.06 if cue == 0.7 else 0)


def test_two_shapes_are_apart_and_of_two_classes():
    data = two_shapes(60, generator=seed(8))
    assert data.masks.shape == (60, 2, SIDE, SIDE) and data.targets.shape == (60, 2)
    assert (data.targets[:, 0] != data.targets[:, 1]).all()
    assert data.targets[:, 0].bincount().tolist() == [10] * 6 and data.targets.max() <= 5
    assert not (data.masks[:, 0] & data.masks[:, 1]).any() and data.masks.flatten(2).any(2).all()


def test_counterfactual_pairs_differ_where_one_outline_alone_covers_a_pixel():
    first, second = counterfactual_pairs(60, generator=seed(6))
    assert first.targets.tolist() == [i % 6 for i in range(60)] and (first.targets != second.targets).all()
    differ = (first.images != second.images).any(1)
    assert torch.equal(differ, first.masks ^ second.masks) and differ.flatten(1).any(1).all()
    pairs = zip(first.images, second.images, first.masks, second.masks, strict=True)
    inside = [(a[:, m & k].mean(1), b[:, k & ~m].mean(1)) for a, b, m, k in pairs if (k & ~m).sum() > 9]
    assert torch.stack([(a - b).norm() for a, b in inside]).max() < 0.3  # one colour for both
    assert not first.marks.any() and first.masks.flatten(1).sum(1).min() > 50
    few, _ = counterfactual_pairs(6, generator=seed(6))
    assert torch.equal(few.images, first.images[:6])
    with pytest.raises(ValueError, match="at least one"):
        counterfactual_pairs(0, generator=seed(6))


def test_crossed_shapes_swap_backgrounds_and_nothing_else():
    shapes, images = crossed_shapes(12, 5, generator=seed(9))
    assert images.shape == (12, 5, 3, SIDE, SIDE)
    for i in range(12):
        mask = shapes.masks[i]
        assert (images[i][..., mask] == shapes.images[i][:, mask]).all()
        assert torch.equal(
            images[i, 2][:, ~mask & ~shapes.masks[0]], images[0, 2][:, ~mask & ~shapes.masks[0]]
        )
        means = images[0][..., mask & ~shapes.masks[0]].mean(2)
        if (mask & ~shapes.masks[0]).sum() > 50:
            assert (shapes.images[i][:, mask].mean(1) - means).norm(dim=1).min() > 0.3
    _, marked = crossed_shapes(12, 12, generator=seed(9), cue=True)
    corner = marked[0, :, :, MARK, MARK].mean((2, 3))
    assert torch.equal(corner[0], corner[6]) and not torch.allclose(corner[0], corner[1], atol=0.1)


def test_blue_coded_shapes_have_blue_only_on_the_mask(shapes):
    for data in (shapes, two_shapes(6, generator=seed(8))):
        coded, masks = blue_coded(data), data.masks if data.masks.ndim == 3 else data.masks.any(1)
        assert coded.images[:, 2][masks].min() >= 0.9 and coded.images[:, 2][~masks].max() <= 0.7
        assert torch.equal(coded.images[:, :2], data.images[:, :2]) and coded.images.max() <= 1


@pytest.mark.parametrize("draw", [planted_shapes, two_shapes])
def test_asking_for_no_images(draw):
    with pytest.raises(ValueError, match="at least one"):
        draw(0, generator=seed(0))


def test_bad_cue_and_bad_counts():
    with pytest.raises(ValueError, match="0 to 1"):
        planted_shapes(1, generator=seed(0), cue=1.5)
    with pytest.raises(ValueError, match="at least one"):
        crossed_shapes(3, 0, generator=seed(0))
    with pytest.raises(ValueError, match="multiple of 6"):
        crossed_shapes(3, 10, generator=seed(0), cue=True)


def test_all_data_together_stay_below_their_limit():
    files = [f for f in data_file("claims.yml").parent.rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 20_500_000  # of which recorded results have 2.5 MB
