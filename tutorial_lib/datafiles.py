"""Where the book's data lie: beside the package in a checkout, inside it in a wheel."""
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).parent
_FOLDERS = (_PACKAGE.parent / "data", _PACKAGE / "data")


def data_file(name: str) -> Path:
    """Path of `data/NAME`; `FileNotFoundError` if the file is in neither place."""
    for folder in _FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"data/{name} is missing (looked in {' and '.join(str(f) for f in _FOLDERS)}): "
        "restore it with `git checkout data`, or install the package again"
    )


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """`ValueError` unless the file's SHA-256 is `expected`: it was cut short or changed."""
    found = sha256(path)
    if found != expected:
        raise ValueError(
            f"{path} is not the file that it should be (SHA-256 {found[:12]}…, "
            f"expected {expected[:12]}…): it was cut short or changed; restore, install or make it again"
        )


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the place of `path` at the end of the
    block, and vanishes if the block fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
