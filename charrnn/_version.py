"""The version, read from the installed package so that it is written in one place only."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("charrnn")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
