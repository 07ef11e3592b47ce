"""The benchmark: its counting and arithmetic, a toy run, and its page. Nothing here looks at a time."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import bench.measure as measure
from bench import run, tasks
from bench.captum_peers import captum_calls, tuned
from bench.measure import Floor, Passes, images_seen, interleaved, ratios
from bench.memory import TensorMemory, extra_memory
from bench.page import PAGE, page
from bench.quantus_peers import WITH_QUANTUS, quantus_calls
from bench.targets import METRICS, TARGETS, Target, cell
from bench.worlds import WORLDS, World
from tests.conftest import small_net

MEGABYTE = 10**6


def floats():
    """One megabyte."""
    return torch.zeros(250, 1000)


def most_held(call):
    """The result is dropped, after which nothing may be left."""
    with TensorMemory() as memory:
        call()
    assert memory.now == 0
    return memory.most


# Counting


def test_images_are_counted_in_copies_of_the_network_too_and_only_inside_the_block(net, batch):
    with images_seen(net) as seen:
        net(batch[0])
        copy.deepcopy(net)(batch[0][:2])
    net(batch[0])
    assert seen == [7, 2] and not net._forward_hooks


def test_memory_is_the_most_that_lives_at_a_time():
    def one_after_the_other():
        for _ in range(3):
            floats()

    def together():
        a, b = floats(), floats()
        return a + b

    assert most_held(one_after_the_other) == MEGABYTE
    assert most_held(together) == 3 * MEGABYTE


def test_what_was_there_before_and_views_need_no_memory():
    old = floats()
    assert most_held(lambda: (old.view(-1)[10:], old.detach(), old.T)) == 0
    assert most_held(lambda: floats().view(-1)[10:].view(-1)) == MEGABYTE


def test_memory_holds_what_autograd_keeps():
    x = floats().requires_grad_()
    kept = most_held(lambda: torch.autograd.grad(x.exp().exp().exp().sum(), x))
    free = most_held(lambda: x.detach().exp().exp().exp().sum())
    assert kept >= 3 * MEGABYTE > free >= 2 * MEGABYTE


def test_extra_memory_sees_numpy():
    assert 8 * MEGABYTE <= extra_memory(lambda: np.ones(MEGABYTE)) < 9 * MEGABYTE
    assert extra_memory(lambda: (floats(), np.ones(MEGABYTE))) >= 9 * MEGABYTE


# Arithmetic


def test_the_floor_is_the_best_batch_times_the_passes(net, batch, monkeypatch):
    """A forward batch of n takes 1 + n seconds, so large ones are best; a gradient n², so small ones are."""
    monkeypatch.setattr(measure, "bare_pass", lambda model, x, target, *, gradient: (len(x), gradient))
    monkeypatch.setattr(measure, "seconds", lambda call: call[0] ** 2 if call[1] else 1 + call[0])
    floor = Floor(net, *batch)
    assert floor.batches == Passes(256, 8)
    assert floor.seconds(Passes(200, 0)) == pytest.approx(200 * 257 / 256)
    assert floor.seconds(Passes(200, 20)) == pytest.approx(200 * 257 / 256 + 20 * 8)
    assert floor.costs.gradient[64] == pytest.approx(64e6)


def test_a_bare_pass_is_the_score_or_its_gradient(net, batch):
    x, target = batch
    forward, backward = (measure.bare_pass(net, x, target, gradient=g)() for g in (False, True))
    assert torch.equal(forward, net(x)) and not forward.requires_grad
    image = x.clone().requires_grad_()
    net(image).gather(1, target[:, None]).sum().backward()
    assert torch.equal(backward, image.grad)


def test_rounds_are_interleaved_and_compared_within_themselves():
    order = []

    def call(name, times):
        times = iter(times)
        return lambda: order.append(name) or next(times)

    found = interleaved({"a": call("a", [1, 20, 3]), "b": call("b", [2, 10, 3])}, rounds=3)
    assert order == ["a", "b"] * 3 and found == {"a": [1, 20, 3], "b": [2, 10, 3]}
    assert ratios(found["a"], found["b"]) == [0.5, 2, 1]


@pytest.mark.parametrize(("number", "kept"), [(1.1, True), (1.2, True), (1.21, False), (None, None)])
def test_a_target_is_met_up_to_its_line(number, kept):
    below = Target("below", lambda _tasks: number, 1.2)
    assert below.kept("any", {}) is kept
    assert cell(below, "any", {}).endswith({True: "met", False: "**missed**", None: "not measured"}[kept])


def test_a_target_may_be_a_least_value_and_differ_between_networks():
    above = Target("above", lambda _tasks: 8.0, {"small": 8, "large": 9}, at_least=True)
    assert cell(above, "small", {}) == "8.00 ≥ 8 met" and cell(above, "large", {}) == "8.00 ≥ 9 **missed**"


# A toy run


@pytest.fixture
def toy(monkeypatch):
    """The small network in single precision, with two perturbations where there are many."""
    few = {name: (build, 2) for name, (build, _) in tasks.PERTURBING.items()}
    monkeypatch.setattr(tasks, "PERTURBING", few)
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return World(small_net().float(), x, torch.tensor([0, 1, 2]), "4", torch.zeros(1, 1, 1, 1))


@pytest.fixture
def results(toy):
    peer = {"captum": {"saliency": captum_calls(toy)["saliency"]}}
    found = dict.fromkeys(WORLDS, run.one_world(toy, peers=peer, rounds=1))
    return json.loads(json.dumps({"threads": 1, "rounds": 1, "versions": {"torch": "2"}, "worlds": found}))


def test_a_toy_run_has_every_task_with_passes_memory_and_times(results):
    for world in results["worlds"].values():
        assert set(METRICS) < set(world["tasks"])
        for task in world["tasks"].values():
            assert task["passes"] == task["passes needed"] > 0 and task["MiB"] > 0
            low, high = task["range"]
            assert 0 < low <= task["times the floor"] <= high and task["channels last"] > 0
        assert list(world["tasks"]["saliency"]["others"]) == ["captum"]


def test_the_page_has_a_row_for_each_target_and_each_task(results):
    text = page(results)
    for target in TARGETS:
        assert text.count(f"| {target.text} |") == 1
    for name in results["worlds"]["FashionCNN, 28 px"]["tasks"]:
        assert text.count(f"| {name} |") == 2
    assert "not measured" in text and "{" not in text.replace("{doc}", "")


def test_stored_numbers_have_four_digits():
    assert run.rounded({"a": [1.23456, 2], "b": "x"}) == {"a": [1.235, 2], "b": "x"}


def test_the_others_do_work_that_has_a_name(toy):
    names = set(tasks.tasks(toy))
    for calls in (captum_calls(toy), tuned(toy), quantus_calls(toy)):
        assert set(calls) <= names
    assert bool(quantus_calls(toy)) == WITH_QUANTUS


def test_captum_spends_the_passes_of_a_map_on_each_of_eight(toy):
    with images_seen(toy.model) as seen:
        captum_calls(toy)["infidelity, 8 maps"]()
    assert sum(seen) == 8 * 3 * 51


@pytest.mark.skipif(not run.RESULTS.exists(), reason="make bench has not run yet")
def test_the_page_is_that_of_the_stored_results():
    assert PAGE.read_text("utf8") == page(json.loads(run.RESULTS.read_text("utf8")))


def test_nothing_of_the_network_is_changed_by_the_other_memory_format(toy):
    other = toy.channels_last()
    assert toy.model[0].weight.is_contiguous() and isinstance(other.model, nn.Sequential)
    assert torch.allclose(other.model(other.x), toy.model(toy.x), atol=1e-6)
