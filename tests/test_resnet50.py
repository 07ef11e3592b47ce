"""The big models for readers with a network, tested on a random checkpoint of the published format."""

from functools import partial

import pytest
import torch
from torchvision import models

from tutorial_lib.attribution.gradients import guided_backprop, saliency
from tutorial_lib.datafiles import sha256
from tutorial_lib.models import resnet50 as module
from tutorial_lib.models.check import model_findings
from tutorial_lib.models.zoo import load


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """As MadryLab's `robustness` writes them: the network under `module.model.`, a second copy for its
    attacker, the statistics of its normaliser."""
    torch.manual_seed(0)
    network = models.resnet50()
    for m in network.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_var.fill_(2.0)
    state = {f"module.model.{key}": value for key, value in network.state_dict().items()}
    state |= {f"module.attacker.model.{key}": value for key, value in network.state_dict().items()}
    state["module.normalizer.new_mean"] = torch.zeros(3, 1, 1)
    path = tmp_path_factory.mktemp("big") / "resnet50_l2_eps3.ckpt"
    optimiser = torch.optim.SGD(network.parameters(), 0.1).state_dict()
    torch.save({"model": state, "optimizer": optimiser, "schedule": {"step": 3}, "epoch": 90}, path)
    return path, network.eval()


@pytest.fixture
def published(checkpoint, monkeypatch):
    monkeypatch.setattr(module, "ROBUST_SHA256", sha256(checkpoint[0]))
    return checkpoint


def test_the_robust_checkpoint_is_the_network_that_was_saved(published):
    path, network = published
    model, x = load("resnet50_robust", source=path), torch.rand(1, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((x - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    assert torch.allclose(model(x), expected, atol=1e-5)
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_it_can_be_explained(published):
    model, x, target = (
        load("resnet50_robust", source=str(published[0])),
        torch.rand(1, 3, 64, 64),
        torch.tensor([3]),
    )
    assert model_findings(model, x) == []
    for method in (saliency, guided_backprop):
        assert method(model, x, target).abs().sum() > 0


def test_absent_and_wrong_checkpoints(checkpoint, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source=.*huggingface"):
        load("resnet50_robust")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load("resnet50_robust", source=tmp_path / "nothing.ckpt")
    with pytest.raises(ValueError, match="cut short or changed"):
        load("resnet50_robust", source=checkpoint[0])  # not the published bytes
    assert load("resnet50_robust", source=checkpoint[0], sha256=sha256(checkpoint[0]))
    for content in ({"state": {}}, {"model": partial(print)}):
        torch.save(content, path := tmp_path / "foreign.ckpt")
        with pytest.raises(ValueError, match="library that wrote it"):
            load("resnet50_robust", source=path, sha256=sha256(path))


def test_without_a_network_the_message_says_so(monkeypatch, tmp_path):
    def refused(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refused)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refused)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(models._api, "load_state_dict_from_url", refused)
    with pytest.raises(FileNotFoundError, match="efficientnet_lite0"):
        load("resnet50")
    with pytest.raises(FileNotFoundError, match="no route to host"):
        load("resnet50_robust", source=module.ROBUST_URL)


def test_the_plain_weights_come_from_torchvisions_enum(monkeypatch, checkpoint):
    asked = []

    def stored(_self, **options):
        asked.append(options)
        return checkpoint[1].state_dict()

    monkeypatch.setattr(models.ResNet50_Weights, "get_state_dict", stored)
    model, x = load("resnet50"), torch.rand(1, 3, 64, 64)
    assert asked == [{"progress": False, "check_hash": True, "weights_only": True}]
    assert model_findings(model, x) == []
