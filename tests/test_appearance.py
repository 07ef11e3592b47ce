"""Closed forms for what a map looks like: its roughness and the Gini index of its values."""

import torch

from tutorial_lib.evaluation.appearance import gini, roughness


def maps(*rows: list) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_roughness_of_an_even_map_is_zero_and_of_a_chessboard_two():
    """On a board of 0 and 1 every pair of neighbours differs by 1 and the mean is 1/2."""
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    assert roughness(torch.stack([torch.full((8, 8), 3.0), board.float()])).tolist() == [0, 2]


def test_roughness_of_a_ramp():
    """Columns 1, 2, …, 9 have differences of 1 along rows and 0 down columns, and the mean is 5."""
    ramp = torch.arange(1.0, 10).expand(1, 4, 9)
    assert torch.allclose(roughness(ramp), torch.tensor(0.1))


def test_roughness_knows_neither_scale_nor_sign():
    heat = torch.randn(3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(roughness(-5 * heat), roughness(heat.abs()))


def test_roughness_inside_a_mask_reads_nothing_outside_it():
    """The mask keeps the first two columns, of 1 and 3: mean 2, differences of 2 along rows, 0 down."""
    heat = maps([[1, 3, 100], [1, 3, -7]])
    where = torch.tensor([[[True, True, False]] * 2])
    assert roughness(heat, where=where).item() == 0.5
    heat[:, :, 2] *= 1e6
    assert roughness(heat, where=where).item() == 0.5


def test_roughness_inside_a_mask_counts_neighbours_that_are_both_in_it():
    """1 and 5 of the first row are no neighbours: the pixel between them is out."""
    heat = maps([[1, 9, 5], [1, 1, 5]])
    where = torch.tensor([[[True, False, True], [True, True, True]]])
    down, across, mean = 0, (0 + 4) / 2, 13 / 5
    assert torch.allclose(roughness(heat, where=where), maps((down + across) / 2 / mean))


def test_roughness_inside_the_whole_image_is_the_plain_one():
    heat = torch.randn(3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(3, 6, 7, dtype=torch.bool)
    assert torch.equal(roughness(heat, where=everywhere), roughness(heat))


def test_gini_of_an_even_map_is_zero_and_of_one_pixel_almost_one():
    """One pixel of n has all: (n - 1) / n."""
    one = torch.zeros(4, 5, dtype=torch.float64)
    one[2, 3] = -7
    expected = torch.tensor([0, 19 / 20], dtype=torch.float64)
    assert torch.allclose(gini(torch.stack([torch.ones_like(one), one])), expected, atol=1e-12)


def test_gini_is_half_the_relative_mean_difference():
    """Its definition: the mean |a - b| over all pairs, over twice the mean."""
    heat = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = heat.abs().flatten(1)
    pairs = (values[:, :, None] - values[:, None]).abs().mean((1, 2))
    assert torch.allclose(gini(heat), pairs / values.mean(1) / 2)
