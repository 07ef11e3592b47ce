"""How alike maps and rankings are: oracles, hand-checked cases, laws, what is marked and what is refused.

Also where a map lies, and the variance shares of a table.
"""

import itertools
from functools import partial

import krippendorff
import numpy as np
import pytest
import torch
from scipy.stats import friedmanchisquare, kendalltau, rankdata, spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity

from tutorial_lib.evaluation.agreement import (
    hog_similarity,
    in_top,
    kendall,
    kendall_w,
    krippendorff_alpha,
    mean_ranks,
    rank_agreement,
    rank_correlation,
    rank_correlations,
    sign_agreement,
    signed_rank_agreement,
    signed_rank_correlations,
    ssim,
    top_overlap,
)
from tutorial_lib.evaluation.localisation import dilated, mass_share, peak_hits, rank_accuracy
from tutorial_lib.evaluation.statistics import row_share, variance_shares

TOP = [top_overlap, sign_agreement, rank_agreement, signed_rank_agreement]
PAIRS = [
    rank_correlations, signed_rank_correlations, *(partial(measure, k=5) for measure in TOP), ssim,
    partial(hog_similarity, cell=4), lambda a, b: kendall(a.flatten(1), b.flatten(1)),
]
NAMES = ["rank", "signed rank", "top", "sign", "place", "signed place", "ssim", "hog", "kendall"]
pairs = pytest.mark.parametrize("measure", PAIRS, ids=NAMES)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(number=6, side=14, *, seed=0, levels=None):
    """Signed maps, float64; with `levels` they have that many distinct sizes, so many ties."""
    draws = torch.randn(number, side, side, generator=generator(seed), dtype=torch.float64)
    return draws if levels is None else (draws * levels / 3).round()


def alike(first, share=0.5, *, seed=1):
    """Maps that resemble the first ones."""
    return first + share * maps(*first.shape[:2], seed=seed)


# rank correlations


@pytest.mark.parametrize("levels", [None, 4])
def test_rank_correlations_are_scipys(levels):
    first = maps(levels=levels)
    second = alike(first).round() if levels else alike(first)
    for function, ours in ((torch.abs, rank_correlations), (lambda a: a, signed_rank_correlations)):
        theirs = [spearmanr(function(a).flatten(), function(b).flatten())[0]
                  for a, b in zip(first, second, strict=True)]
        assert ours(first, second).tolist() == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 4])
def test_within_a_mask_they_are_scipys_of_its_pixels(levels):
    """Masks of another size for each image; beyond them lie NaN and infinity."""
    first, second = maps(levels=levels), maps(levels=levels, seed=1)
    limits = torch.linspace(0.1, 0.9, len(first), dtype=torch.float64)[:, None, None]
    where = torch.rand(first.shape, generator=generator(2), dtype=torch.float64) < limits
    hidden = first.masked_fill(~where, torch.nan), second.masked_fill(~where, torch.inf)
    for function, ours in ((torch.abs, rank_correlations), (lambda a: a, signed_rank_correlations)):
        theirs = [spearmanr(function(a[w]), function(b[w]))[0]
                  for a, b, w in zip(first, second, where, strict=True)]
        assert ours(*hidden, where=where).tolist() == pytest.approx(theirs, abs=1e-12)


def test_a_mask_of_everything_changes_nothing():
    first, second = maps(), maps(seed=1)
    where = torch.ones_like(first, dtype=torch.bool)
    assert torch.equal(rank_correlations(first, second, where=where), rank_correlations(first, second))


def test_many_stacks_are_compared_with_the_first_at_once():
    first, others = maps(), torch.stack([maps(seed=1), alike(maps())])
    where = torch.rand(first.shape, generator=generator(2)) < 0.5
    for measure in (rank_correlations, signed_rank_correlations):
        each = torch.stack([measure(first, other, where=where) for other in others])
        assert torch.equal(measure(first, others, where=where), each)
    with pytest.raises(ValueError, match="do not compare"):
        rank_correlations(first, others[:, :3])


def test_the_negative_map_has_the_same_sizes_and_the_opposite_order():
    first = maps()
    assert rank_correlations(first, -first).tolist() == pytest.approx([1] * 6, abs=1e-12)
    assert signed_rank_correlations(first, -first).tolist() == pytest.approx([-1] * 6, abs=1e-12)


def test_one_pair_of_any_shape():
    first, second = maps(1)[0], maps(1, seed=1)[0]
    assert rank_correlation(first, second) == rank_correlations(first[None], second[None]).item()
    assert rank_correlation(torch.tensor([1, -2, 3]), torch.tensor([10, 20, -30])) == 1


def test_mean_ranks_are_scipys():
    values = maps(levels=3).unflatten(0, (2, 3))
    assert torch.equal(mean_ranks(values), torch.from_numpy(rankdata(values.numpy(), axis=-1)))


# the highest values


def tried_out(first, second, k, counts):
    """Expectation over every order of the ties, each map its own; `counts(place, other, pixel)`."""

    def orders(row):
        groups = [np.flatnonzero(np.abs(row) == size) for size in np.unique(np.abs(row))[::-1]]
        for parts in itertools.product(*map(itertools.permutations, groups)):
            yield {pixel: place for place, pixel in enumerate(itertools.chain(*parts))}

    found = [
        sum(a[i] < k and b[i] < k and counts(a[i], b[i], i) for i in a) / k
        for a, b in itertools.product(orders(first), orders(second))
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_tied_places_are_drawn_by_lot(k):
    """All orders of the ties written out; signs and places as Krishna et al. define them."""
    rows = torch.tensor([[3.0, -3, 1, -1, 1], [2, 2, -2, 0, 0], [5, -4, 3, 2, 1], [1, -1, 1, 0, 2]])
    for a, b in itertools.product(rows, rows):
        same = (a.sign() == b.sign()).tolist()
        by_hand = [
            tried_out(a.numpy(), b.numpy(), k, counts)
            for counts in (
                lambda p, q, i: True,
                lambda p, q, i, same=same: same[i],
                lambda p, q, i: p == q,
                lambda p, q, i, same=same: p == q and same[i],
            )
        ]
        found = [measure(a[None], b[None], k=k).item() for measure in TOP]
        assert found == pytest.approx(by_hand, abs=1e-6)


def test_the_four_agreements_by_hand():
    """Highest three: pixels 0, 1, 2 and 1, 0, 3. Two in common, one with the same sign; with the same
    place after pixel 0 has moved up, one, of the same sign."""
    first = torch.tensor([[9.0, -8, 7, 1, 0]])
    second = torch.tensor([[8.0, 9, 1, -7, 0]])
    assert [m(first, second, k=3).item() for m in TOP] == pytest.approx([2 / 3, 1 / 3, 0, 0])
    moved = torch.tensor([[10.0, 9, 1, -7, 0]])
    assert [m(first, moved, k=3).item() for m in TOP] == pytest.approx([2 / 3, 1 / 3, 2 / 3, 1 / 3])


@pytest.mark.parametrize("measure", TOP)
def test_a_map_without_ties_agrees_with_itself_in_full(measure):
    for k in (1, 20, 196):
        assert measure(maps(), maps(), k=k).tolist() == pytest.approx([1] * 6)


@pytest.mark.parametrize("measure", TOP)
def test_each_image_may_have_a_k_of_its_own(measure):
    first, second = maps(), alike(maps())
    k = torch.tensor([1, 5, 20, 40, 100, 196])
    each = [measure(first[i : i + 1], second[i : i + 1], k=k[i].item()).item() for i in range(6)]
    assert measure(first, second, k=k).tolist() == pytest.approx(each)


def test_random_maps_share_k_of_all_pixels():
    """Within five standard errors; a constant map shares exactly that with any other."""
    first, second = maps(400), maps(400, seed=1)
    found = top_overlap(first, second, k=49)
    assert abs(found.mean() - 0.25) < 5 * found.std() / 20
    assert top_overlap(torch.ones_like(first), second, k=49).tolist() == pytest.approx([0.25] * 400)


def test_in_top_fills_the_places():
    values = maps(levels=3).flatten(1)
    shares = in_top(values, k=50)
    assert shares.sum(1).tolist() == pytest.approx([50] * 6, rel=1e-6)
    assert shares.min() == 0 and shares.max() == 1 and ((shares > 0) & (shares < 1)).any()
    assert torch.equal(in_top(torch.tensor([[3.0, 1, 2]]), k=2), torch.tensor([[1.0, 0, 1]]))


# structure


def test_ssim_and_hog_are_scikit_images_of_the_scaled_sizes():
    first, second = maps(3, 28), alike(maps(3, 28))
    for i, (a, b) in enumerate(zip(first.abs().numpy(), second.abs().numpy(), strict=True)):
        a, b = a / a.max(), b / b.max()
        theirs = structural_similarity(
            a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim(first, second)[i].item() == pytest.approx(theirs, abs=1e-12)
        options = {"orientations": 9, "pixels_per_cell": (4, 4), "cells_per_block": (3, 3)}
        features = [hog(heat, **options) for heat in (a, b)]
        found = hog_similarity(first, second, cell=4)[i].item()
        assert found == pytest.approx(np.corrcoef(*features)[0, 1], abs=1e-12)


@pytest.mark.parametrize("measure", [ssim, partial(hog_similarity, cell=4)], ids=["ssim", "hog"])
def test_structure_falls_with_noise_and_does_not_see_the_place_of_a_sign(measure):
    first = maps(8, 28)
    means = [measure(first, alike(first, share)).mean().item() for share in (0, 0.3, 1, 3)]
    assert means[0] == pytest.approx(1) and means == sorted(means, reverse=True) and means[-1] < 0.5
    signs = maps(8, 28, seed=3).sign()
    assert torch.equal(measure(first * signs, alike(first)), measure(first, alike(first)))


# all measures of two maps


@pairs
def test_the_unit_of_a_map_does_not_matter(measure):
    first, second = maps(), alike(maps())
    expected = measure(first, second).tolist()
    assert measure(1e-9 * first, 1e3 * second).tolist() == pytest.approx(expected, abs=1e-9)


@pairs
def test_the_order_of_the_two_maps_does_not_matter(measure):
    first, second = maps(levels=5), maps(levels=5, seed=1)
    assert measure(first, second).tolist() == pytest.approx(measure(second, first).tolist(), abs=1e-12)


@pairs
def test_a_map_with_nan_is_marked_and_leaves_the_others_alone(measure):
    first, second = maps(), alike(maps())
    broken = first.clone()
    broken[2, 3, 4] = torch.nan
    for found in (measure(broken, second), measure(second, broken)):
        assert found.isnan().tolist() == [i == 2 for i in range(6)]
        others = [i for i in range(6) if i != 2]
        assert found[others].tolist() == pytest.approx(measure(first, second)[others].tolist(), abs=1e-12)


@pairs
def test_maps_of_unlike_shapes_do_not_compare(measure):
    with pytest.raises(ValueError, match="do not compare"):
        measure(maps(2), maps(3))
    with pytest.raises(ValueError, match="do not compare"):
        measure(maps(2, 12), maps(2, 14))


def test_a_constant_map_has_no_order():
    constant = torch.full((6, 14, 14), 0.1, dtype=torch.float64)
    for measure in (rank_correlations, signed_rank_correlations, partial(hog_similarity, cell=4)):
        assert measure(constant, maps()).isnan().all()
    assert kendall(constant.flatten(1), maps().flatten(1)).isnan().all()
    assert ssim(torch.zeros_like(constant), maps()).isnan().all()
    where = torch.zeros(6, 14, 14, dtype=torch.bool)
    assert rank_correlations(maps(), maps(), where=where).isnan().all()
    infinite = maps()
    infinite[0, 0, 0] = torch.inf
    assert rank_correlations(infinite, maps(seed=1)).isnan().tolist() == [True] + [False] * 5


@pytest.mark.parametrize("k", [0, 197, torch.tensor([1, 2, 3, 4, 5, 0])])
@pytest.mark.parametrize("measure", TOP)
def test_k_lies_within_the_map(measure, k):
    with pytest.raises(ValueError, match="k must be 1 to 196"):
        measure(maps(), maps(), k=k)


def test_small_maps_and_colours_have_no_structure():
    with pytest.raises(ValueError, match="sides ≥ 11"):
        ssim(maps(2, 10), maps(2, 10))
    with pytest.raises(ValueError, match="sides ≥ 15"):
        hog_similarity(maps(2, 14), maps(2, 14), cell=5)
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        ssim(*(maps()[:, None].expand(-1, 14, -1, -1) for _ in range(2)))


# rankings


@pytest.mark.parametrize("levels", [None, 2, 20])
def test_kendalls_tau_is_scipys(levels):
    first = maps(60, 3, levels=levels).flatten(1)
    second = alike(maps(60, 3, levels=levels), 1).flatten(1)
    second = second if levels is None else second.round()
    theirs = [kendalltau(a, b)[0] for a, b in zip(first, second, strict=True)]
    assert kendall(first, second).tolist() == pytest.approx(theirs, abs=1e-12, nan_ok=True)


def test_tau_of_the_same_and_of_the_reverse_order():
    rows = maps(4, 3).flatten(1)
    assert kendall(rows, rows.exp()).tolist() == [1] * 4 and kendall(rows, -rows).tolist() == [-1] * 4
    assert kendall(torch.tensor([[1, 2, 3]]), torch.tensor([[1, 3, 2]])).item() == pytest.approx(1 / 3)


def ratings(kind):
    noise = torch.randn(30, 9, generator=generator(), dtype=torch.float64)
    scores = noise + torch.arange(9) * {"agreeing": 2.0}.get(kind, 0.2)
    return {"ranks": mean_ranks(scores), "halves": mean_ranks(scores.round())}.get(kind, scores)


@pytest.mark.parametrize("kind", ["scores", "agreeing", "ranks", "halves"])
def test_alpha_is_the_packages(kind):
    table = ratings(kind)
    theirs = krippendorff.alpha(reliability_data=table.numpy(), level_of_measurement="ordinal")
    assert krippendorff_alpha(table).item() == pytest.approx(theirs, abs=1e-9)
    assert abs(theirs) < 0.3 or (kind == "agreeing" and theirs > 0.7)


def test_alpha_is_one_for_one_opinion_and_about_zero_for_dice():
    """Dice: within five standard errors of the mean of 400 tables."""
    one = torch.arange(9).expand(30, 9)
    assert krippendorff_alpha(one).item() == 1
    dice = torch.randint(6, (400, 20, 9), generator=generator())
    found = krippendorff_alpha(dice)
    assert abs(found.mean()) < 5 * found.std() / 20
    opposed = torch.stack([torch.arange(9), 8 - torch.arange(9)])
    assert krippendorff_alpha(opposed).item() < -0.8


def test_alpha_sees_the_order_alone_and_takes_many_tables():
    tables = torch.stack([ratings("scores"), ratings("agreeing")])
    found = krippendorff_alpha(tables.expand(3, 2, 30, 9))
    assert found.shape == (3, 2)
    one_by_one = [krippendorff_alpha(table).item() for table in tables]
    assert found[1].tolist() == pytest.approx(one_by_one, abs=1e-12)
    assert torch.equal(krippendorff_alpha(tables.exp()), krippendorff_alpha(tables))


def test_alpha_needs_two_of_each_and_a_difference():
    for table in (torch.rand(1, 9), torch.rand(9, 1), torch.rand(9)):
        with pytest.raises(ValueError, match="two raters and two items"):
            krippendorff_alpha(table)
    for table in (torch.full((3, 4), 0.1), torch.tensor([[1.0, 2], [torch.nan, 3]])):
        with pytest.raises(ValueError, match="undefined"):
            krippendorff_alpha(table)


# where a map lies


def masks(number=6, side=14):
    found = torch.zeros(number, side, side, dtype=torch.bool)
    for i, mask in enumerate(found):
        mask[i : i + 4, 2 : 5 + i] = True
    return found


LOCAL = [mass_share, peak_hits, rank_accuracy]


@pytest.mark.parametrize("measure", LOCAL)
def test_the_mask_itself_gets_one_and_its_complement_nothing(measure):
    assert measure(masks().double(), masks()).tolist() == [1] * 6
    assert measure((~masks()).double(), masks()).tolist() == [0] * 6


@pytest.mark.parametrize("measure", LOCAL)
def test_a_random_map_gets_the_area_share(measure):
    """Within five standard errors of 2,000 maps."""
    mask = masks(1).expand(2000, -1, -1)
    found, area = measure(maps(2000), mask).double(), mask.double().mean()
    assert area > 0.05 and abs(found.mean() - area) < 5 * found.std() / 2000**0.5


def test_a_constant_map_gets_the_area_share_of_the_highest_places():
    area = masks().double().mean((1, 2)).tolist()
    for value in (0.0, 0.1, -3.0):
        assert rank_accuracy(torch.full((6, 14, 14), value), masks()).tolist() == pytest.approx(area)
    assert mass_share(torch.ones(6, 14, 14), masks()).tolist() == pytest.approx(area)
    assert mass_share(torch.zeros(6, 14, 14), masks()).isnan().all()
    assert not peak_hits(torch.ones(6, 14, 14), masks()).any()  # the first pixel, which no mask has


def test_of_a_negative_map_the_highest_count_in_rank_and_the_largest_in_mass():
    negative = -1 - masks().double()
    assert rank_accuracy(negative, masks()).tolist() == [0] * 6
    assert rank_accuracy(-1 / negative.abs(), masks()).tolist() == [1] * 6
    assert peak_hits(negative, masks()).all()
    assert torch.equal(mass_share(maps(), masks()), mass_share(maps().abs(), masks()))


def test_rank_accuracy_is_the_overlap_with_the_mask():
    heat = maps(levels=4).abs()
    k = masks().flatten(1).sum(1)
    ranked = masks() * 2.0 + torch.rand(6, 14, 14, generator=generator())
    assert rank_accuracy(heat, masks()).tolist() == pytest.approx(top_overlap(heat, ranked, k=k).tolist())


@pytest.mark.parametrize("measure", LOCAL)
def test_what_lies_nowhere_is_refused(measure):
    broken, empty = maps(), masks()
    broken[1, 0, 0], empty[4] = torch.nan, False
    with pytest.raises(ValueError, match="NaN"):
        measure(broken, masks())
    with pytest.raises(ValueError, match=r"images \[4\] have no pixel"):
        measure(maps(), empty)
    with pytest.raises(ValueError, match="shape"):
        measure(maps(), masks()[:1])


def test_a_dilated_mask_reaches_two_pixels_into_every_corner():
    one = torch.zeros(1, 9, 9, dtype=torch.bool)
    one[0, 4, 0] = True
    wide = dilated(one)
    assert wide.dtype == torch.bool and wide.sum() == 5 * 3 and wide[0, 2:7, :3].all()


# variance shares


def tables(rows, columns, rest, *, number=200, n=30, m=12):
    draw = partial(torch.randn, generator=generator(), dtype=torch.float64)
    parts = draw(number, n, 1), draw(number, 1, m), draw(number, n, m)
    return sum(v**0.5 * part for v, part in zip((rows, columns, rest), parts, strict=True))


def test_variance_shares_of_pure_tables():
    rows = torch.arange(4.0)[:, None].expand(4, 3)
    assert variance_shares(rows).tolist() == pytest.approx([1, 0, 0])
    assert variance_shares(rows.T).tolist() == pytest.approx([0, 1, 0])
    assert variance_shares(torch.eye(2)).tolist() == pytest.approx([0, 0, 1])
    assert row_share(torch.eye(2)) == 0


def test_variance_shares_by_hand():
    """2 × 2 with a mean of 2: row means 1 and 3, columns' 1.5 and 2.5, rest ± 0.5: mean squares over one
    degree of freedom give 2 - 1/2, 1/2 - 1/2 and 1."""
    found = variance_shares(torch.tensor([[0.0, 2], [3, 3]]))
    assert found.tolist() == pytest.approx([1.5 / 2.5, 0, 1 / 2.5])


def test_variance_shares_find_the_variances():
    """Mean components of 200 tables with variances 1, 2 and 3; rows first."""
    rows, columns, rest = variance_shares(tables(1, 2, 3, n=60, m=60))
    means = [part.mean().item() for part in (rows, columns, rest)]
    assert means == pytest.approx([1 / 6, 1 / 3, 1 / 2], abs=0.02)
    assert torch.allclose(rows + columns + rest, torch.ones(200, dtype=torch.float64))


def test_variance_shares_take_many_tables_and_turn_with_them():
    many = tables(1, 0, 2, number=6).unflatten(0, (2, 3))
    found = variance_shares(many)
    assert found.shape == (3, 2, 3) and (found >= 0).all() and (found == 0).any()
    assert torch.allclose(found[:, 1, 2], variance_shares(many[1, 2]), atol=1e-12)
    assert torch.allclose(variance_shares(many.mT)[[1, 0, 2]], found, atol=1e-12)


def test_row_share_is_the_first_where_no_component_is_negative():
    for table in tables(2, 1, 1, number=20):
        assert row_share(table) == pytest.approx(variance_shares(table)[0].item(), abs=1e-12)


def test_tables_without_variance_are_refused():
    for measure in (variance_shares, row_share):
        with pytest.raises(ValueError, match="no variance"):
            measure(torch.full((3, 3), 0.1))
        with pytest.raises(ValueError, match="1 × 3"):
            measure(torch.rand(1, 3))
    with pytest.raises(ValueError, match="no variance"):
        variance_shares(torch.stack([torch.rand(3, 3), torch.ones(3, 3)]))


# Kendall's W


@pytest.mark.parametrize("levels", [None, 4], ids=["no ties", "ties"])
def test_kendalls_w_is_that_of_scipys_friedman_test(levels):
    """The statistic of the test is m (n - 1) W, ties included."""
    table = maps(1, 9, levels=levels)[0]
    theirs = friedmanchisquare(*table.T.numpy()).statistic / (9 * 8)
    assert kendall_w(table).item() == pytest.approx(theirs, abs=1e-12)


def test_kendalls_w_is_the_mean_rank_correlation_of_the_raters_on_another_scale():
    """W = (1 + (m - 1) rho) / m without ties: 1 for equal raters, 1 / m by chance."""
    tables = torch.randn(2000, 5, 9, generator=generator(3))
    rho = np.mean([spearmanr(*pair)[0] for pair in itertools.combinations(tables[0].numpy(), 2)])
    found = kendall_w(tables)
    assert found.shape == (2000,) and found[0].item() == pytest.approx((1 + 4 * rho) / 5)
    assert found.mean().item() == pytest.approx(1 / 5, abs=0.01)
    assert kendall_w(tables[:1, :1].expand(1, 5, 9)).item() == pytest.approx(1)
    assert kendall_w(torch.stack([tables[0, 0], -tables[0, 0]])).item() == pytest.approx(0, abs=1e-12)


def test_kendalls_w_marks_a_rater_without_a_ranking_and_refuses_a_single_one():
    table = maps(1, 6)[0]
    for bad in (torch.nan, 0.0):
        broken = table.clone()
        broken[2] = bad
        assert kendall_w(torch.stack([table, broken])).isnan().tolist() == [False, True]
    with pytest.raises(ValueError, match="two raters"):
        kendall_w(table[:1])
