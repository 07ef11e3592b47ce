"""ResNet-50 (He et al. 2016), plain and adversarially trained, for readers with a network."""
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from tutorial_lib.datafiles import check_sha256
from tutorial_lib.models.layers import Normalise

ROBUST_URL = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main/resnet50_l2_eps3.ckpt"
# the SHA-256 that the repository of the checkpoint states for the file
ROBUST_SHA256 = "380b14e6f9750bffa1447cf7017f65da4dc5ce71a3dd112f107515dcf7b14d9d"
_PREFIX = "module.model."


def resnet50() -> nn.Module:
    """torchvision's ResNet-50 with its ImageNet weights, which torchvision downloads once and checks."""
    models = _torchvision_models()
    try:
        state = models.ResNet50_Weights.IMAGENET1K_V2.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            "the weights of ResNet-50 are not on this machine and could not be downloaded "
            f"({error}): connect to the network once, or work with load('efficientnet_lite0')"
        ) from error
    return _explainable(models.resnet50(), state)


def resnet50_robust(source: Path | str | None, sha256: str | None) -> nn.Module:
    """ResNet-50 trained adversarially against l2 perturbations of norm 3.0 (Salman et al. 2020).

    `source` is the path or the URL of the published checkpoint `resnet50_l2_eps3.ckpt`, or of another in
    its format whose `sha256` you state.
    """
    sha256 = sha256 or ROBUST_SHA256
    if source is None:
        raise FileNotFoundError(
            "the robust ResNet-50 (205 MB) is not part of the book: load('resnet50_robust', source=...) "
            f"takes its path on your disk, or its address, {ROBUST_URL}"
        )
    path = _downloaded(source, sha256) if str(source).startswith(("https://", "http://")) else Path(source)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; the checkpoint can be fetched from {ROBUST_URL}")
    check_sha256(path, sha256)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    except (pickle.UnpicklingError, KeyError) as error:
        raise ValueError(
            f"{path} holds more than tensors, or no 'model': load it with the library that wrote it and "
            f"save {{'model': its state dict}} with torch.save ({error})"
        ) from error
    state = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    return _explainable(_torchvision_models().resnet50(), state)


def _downloaded(url: str, sha256: str) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256, progress=False)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(f"{url} could not be downloaded: {error}") from error
    return path


def _torchvision_models():
    try:
        from torchvision import models
    except ImportError as error:
        raise FileNotFoundError("ResNet-50 comes with torchvision: pip install torchvision") from error
    return models


def _explainable(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Weights loaded, ReLUs not in place, normalisation as the first layer."""
    network.load_state_dict(state)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return nn.Sequential(Normalise([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), network)
