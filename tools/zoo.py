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


def train(name: str, seed: int, out: Path, full: Path | None) -> None:
    command = [sys.executable, "-m", "tutorial_lib.robustness.training", name, "--seed", str(seed)]
    command += ["--out", str(out), *(["--full", str(full)] if full else [])]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    print(f"{name}_{seed}: {'failed' if done.returncode else 'done'}", flush=True)


def waves(pattern: str, full: Path | None) -> list[list[tuple[str, int]]]:
    """The models to train; those that start from another's weights come in the second wave."""
    chosen = {k: r for k, r in RECIPES.items() if fnmatch(k, pattern) and (full or not r.full)}
    return [[(k, s) for k, r in chosen.items() for s in r.seeds if bool(r.start) == late] for late in (0, 1)]


def table(out: Path) -> str:
    """Each committed model's accuracies beside those of the retrained one."""
    lines, again = [f"{'model':24} {'measured':28} committed  again"], cards(out)
    for name, card in cards().items():
        for key, number in card.items():
            if isinstance(number, dict):
                other = f"{again[name][key]['value']:.3f}" if name in again else "not trained"
                lines.append(f"{name:24} {key:28} {number['value']:9.3f}  {other}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="models at a time, one thread each")
    parser.add_argument("--only", default="*", help="recipes to train, for example 'fashion_*'")
    options = parser.parse_args()
    for wave in waves(options.only, options.full):
        with ThreadPoolExecutor(options.jobs) as pool:
            for name, seed in wave:
                pool.submit(train, name, seed, options.out, options.full)
    print(table(options.out))


if __name__ == "__main__":
    main()
