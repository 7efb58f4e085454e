"""Plain loop nests for layers that no fast step covers."""
