"""Say in one sentence what this machine lacks. Runs on any Python 3, so no modern syntax here."""
import importlib.util
import shutil
import sys


def complaint(gigabytes):
    """What is missing for an environment of that size, or None."""
    if sys.version_info < (3, 11):
        version = "{}.{}".format(*sys.version_info[:2])
        return "Python 3.11 or newer is needed, this is {}: try make PYTHON=python3.12".format(version)
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            package = "python{}.{}-venv".format(*sys.version_info[:2])
            return "This Python lacks {}; on Debian: sudo apt-get install {}".format(module, package)
    free = shutil.disk_usage(".").free / 1e9
    if free < gigabytes:
        return "The disk has {:.1f} GB free, the installation needs about {} GB".format(free, gigabytes)
    return None


if __name__ == "__main__":
    sys.exit(complaint(float(sys.argv[1])))
