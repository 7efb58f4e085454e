"""The bench as a page and as a picture; every figure is read from its records."""
