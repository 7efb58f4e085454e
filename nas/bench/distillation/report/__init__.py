"""What a bench says: figures with intervals, laws of size, a page and a plot."""
