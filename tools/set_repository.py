"""Rename the repository in every tracked text file: `set_repository.py ACCOUNT/NAME`.

The current name is read from one place, `repository: url:` in _config.yml, so the call can be
repeated with another name. GitHub Pages addresses and the prefix of the 404 page follow.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """`name` itself; `SystemExit` with the reason if GitHub would not accept it or Pages has no path."""
    if not NAME.fullmatch(name):
        sys.exit(f"{name!r} is no repository name: write ACCOUNT/NAME, as in ada/robust-explainability")
    if name.endswith((".git", ".github.io")):
        sys.exit(f"{name!r}: leave .git away, and take a project repository (its pages lie under /NAME/)")
    return name


def current_name(root: Path) -> str:
    """The name that the book goes by now."""
    url = yaml.safe_load((root / "_config.yml").read_text("utf8"))["repository"]["url"]
    return check_name(url.removeprefix("https://github.com/").rstrip("/"))


def renamed(text: str, old: str, new: str) -> str:
    """`text` with the slug, the Pages address and the 404 prefix of `old` replaced, in one pass."""
    (old_account, old_name), (account, name) = old.split("/"), new.split("/")
    swaps = {
        old: new,
        f"{old_account}.github.io/{old_name}": f"{account}.github.io/{name}",
        **{
            f"notfound_urls_prefix: {quote}/{old_name}/": f"notfound_urls_prefix: {quote}/{name}/"
            for quote in ("", "'", '"')
        },
    }
    spellings = "|".join(re.escape(spelling) for spelling in swaps)
    whole = re.compile(rf"(?<![\w.-])(?:{spellings})(?![\w-])(?!\.(?!git\b)\w)")
    return whole.sub(lambda match: swaps[match.group()], text)


def rewrite(path: Path, old: str, new: str) -> bool:
    """Rename inside one file; binary files and links stay. A temporary file, then a rename."""
    if path.is_symlink() or not path.is_file():
        return False
    before = path.read_bytes()
    try:
        after = renamed(before.decode("utf8"), old, new).encode()
    except UnicodeDecodeError:
        return False
    if after == before:
        return False
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(after)
    shutil.copymode(path, temporary)
    temporary.replace(path)
    return True


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wanted, known = check_name(sys.argv[1]), current_name(ROOT)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    changed = [name for name in tracked.stdout.split("\0") if name and rewrite(ROOT / name, known, wanted)]
    print("\n".join(changed))
    print(f"{known} -> {wanted} in {len(changed)} files")
