"""What metrics and methods cost, on the tasks of the benchmark: the passes of the definition, and memory that
does not depend on the number of perturbations."""

import pytest
import torch
from torch import nn

from bench.measure import images_seen
from bench.memory import TensorMemory, extra_memory
from bench.metrics import randomisation
from bench.tasks import PERTURBING, few, tasks
from bench.worlds import WORLDS, World
from tests.conftest import small_net
from tutorial_lib.evaluation.sanity import cascade, weighted_layers
from tutorial_lib.scores import chunk_size

BUILDERS = {name: build for name, (build, _) in PERTURBING.items()}

every_task = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


@pytest.fixture
def world():
    """Two images of 32 × 32 pixels, so that a removal curve may have a thousand steps."""
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return World(small_net(), x, torch.tensor([0, 3]), "4", torch.zeros(1, 1, 1, 1, dtype=torch.float64))


def passes(world, task):
    with images_seen(world.model) as seen:
        task.run()
    return seen


@pytest.mark.parametrize("number", [3, 20])
@every_task
def test_a_task_spends_the_passes_that_its_definition_needs(build, number, world):
    task = build(world, number)
    assert sum(passes(world, task)) == sum(task.needs)


def test_a_cascade_costs_one_map_of_the_network_and_one_of_each_copy(world):
    task = randomisation(world)
    assert sum(passes(world, task)) == sum(task.needs) == 2 * (1 + 3)


@pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)
def test_no_method_or_metric_of_the_trained_networks_spends_more_than_it_needs(make):
    world = make().first(3)
    for name, task in tasks(world).items():
        assert sum(passes(world, task)) == sum(task.needs), name


@every_task
def test_no_pass_is_larger_than_a_chunk(build, world):
    """A forward pass may be twice as large as one that goes back."""
    with torch.no_grad():
        largest = chunk_size(world.x)
    assert largest == 2 * chunk_size(world.x)
    limit = largest if build(world, 40).needs.gradient == 0 else chunk_size(world.x)
    assert max(passes(world, build(world, 40))) <= limit


@every_task
def test_memory_does_not_grow_with_the_perturbations(build, world):
    """Twice as many, both enough for whole passes. A copy of an image has 24 kB; 64 kB are for numbers."""
    most = {}
    for number in (500, 1000):
        task = build(world, number)
        with TensorMemory() as memory:
            task.run()
        most[number] = memory.most
    assert most[1000] < most[500] + 2**16


@pytest.mark.parametrize("depth", [4, 40])
def test_two_randomised_copies_live_at_a_time_however_many_layers(depth):
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(depth))).eval()
    layer = sum(p.nbytes for p in model[0].parameters())
    with TensorMemory() as memory:
        for _ in cascade(model, weighted_layers(model), generator=torch.Generator().manual_seed(0)):
            pass
    assert layer * depth < memory.most < layer * (2 * depth + 4)


@pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)
def test_a_small_network_needs_no_more_than_64_mib_beside_its_images(make):
    world = few(make())
    built = {name: build(world, 4) for name, build in BUILDERS.items()}
    for name, task in {**tasks(world), **built}.items():
        assert extra_memory(task.run) < 64 * 2**20, name
