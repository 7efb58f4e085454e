"""What every room stands on: the errors, the version and the way files are written."""

__version__ = "0.1.0"
