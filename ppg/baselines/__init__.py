"""Heart rate by hand-built signal processing: what a network must beat on the same people."""
