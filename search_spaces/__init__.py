"""What may be searched: architectures, the spaces they are drawn from, their lowering to the layer
graph, and the network. Only `blocks` and `network` import torch.
"""
