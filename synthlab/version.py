"""Which SynthLab this is."""

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    try:
        return version("synthlab")
    except PackageNotFoundError:  # run from a clone
        return "0.1.0"
