"""What distillation brings: benches that are tables of cells, each a training of its own."""
