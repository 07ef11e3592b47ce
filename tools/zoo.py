"""Train every small model again and compare with the committed cards: make zoo OUT=folder [FULL=folder]

Resumable: a model whose card is in the folder is not trained again. FULL holds the four original files of
Fashion-MNIST; without it the one model that needs them is left out, and the last table says so.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from tutorial_lib.models.zoo import cards
from tutorial_lib.robustness.training import RECIPES

Model = tuple[str, int]


def train(model: Model, options: argparse.Namespace) -> str:
    """The model's name if its training failed, else nothing."""
    name, seed = model
    command = [sys.executable, "-m", "tutorial_lib.robustness.training", name, "--seed", str(seed)]
    command += ["--out", str(options.out), "--device", options.device]
    command += ["--full", str(options.full)] if options.full else []
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    print(f"{name}_{seed}: {'failed' if done.returncode else 'done'}", flush=True)
    return f"{name}_{seed}" if done.returncode else ""


def train_all(models: list[Model], options: argparse.Namespace) -> list[str]:
    """The names that failed. An interruption starts no further training."""
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            return [failed for failed in pool.map(lambda model: train(model, options), models) if failed]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def waves(pattern: str, full: Path | None) -> list[list[Model]]:
    """The models to train; those that start from another's weights come in the second wave."""
    chosen = {k: r for k, r in RECIPES.items() if fnmatch(k, pattern) and (full or not r.full)}
    return [[(k, s) for k, r in chosen.items() for s in r.seeds if bool(r.start) == late] for late in (0, 1)]


def table(out: Path) -> str:
    """Each number of the committed cards beside that of the retrained model."""
    lines, again = [f"{'model':24} {'measured':32} committed  again"], cards(out)
    for name, card in cards().items():
        for key, number in card.items():
            if isinstance(number, dict) or key.startswith("variance"):
                pair = [c.get(key, "-") if c else "not trained" for c in (card, again.get(name))]
                pair = [f"{p['value']:.3f}" if isinstance(p, dict) else str(p) for p in pair]
                lines.append(f"{name:24} {key:32} {pair[0]:>9}  {pair[1]}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2, help="models at a time, one thread each")
    parser.add_argument("--only", default="*", help="recipes to train, for example 'fashion_*'")
    options = parser.parse_args()
    failed = [name for wave in waves(options.only, options.full) for name in train_all(wave, options)]
    print(table(options.out))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
