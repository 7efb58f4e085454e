"""model.c: the network as fixed-shape C, its packing, its project and its host."""
