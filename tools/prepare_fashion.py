"""Make data/fashion_mnist from the four original files: python tools/prepare_fashion.py FOLDER

Training: the first 1,000 images of each class, in file order. Test: the first 100 of each class in file
order, then the next 100 of each class in file order, so that both halves are balanced.
"""

import gzip
import struct
import sys
from pathlib import Path

from torch import Tensor

from tutorial_lib.datasets import fashion_mnist

OUT = Path(__file__).parents[1] / "data" / "fashion_mnist"


def choose(targets: Tensor, ranges: list[tuple[int, int]]) -> list[int]:
    """Indices of the images that are number a to b-1 of their class, one range after the other."""
    rank, seen = [], [0] * 10
    for target in targets.tolist():
        rank.append(seen[target])
        seen[target] += 1
    return [i for a, b in ranges for i, r in enumerate(rank) if a <= r < b]


def write_idx(name: str, values: Tensor) -> None:
    header = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
    packed = gzip.compress(header + values.numpy().tobytes(), 9, mtime=0)
    (OUT / f"{name}.gz").write_bytes(packed)
    print(name, tuple(values.shape), len(packed), "bytes")


def main(folder: Path) -> None:
    OUT.mkdir(exist_ok=True)
    for split, prefix, ranges in (("train", "train", [(0, 1000)]), ("test", "t10k", [(0, 100), (100, 200)])):
        full = fashion_mnist(split, folder=folder)
        index = choose(full.targets, ranges)
        write_idx(f"{prefix}-images-idx3-ubyte", (full.images[index, 0] * 255).round().byte())
        write_idx(f"{prefix}-labels-idx1-ubyte", full.targets[index].byte())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
