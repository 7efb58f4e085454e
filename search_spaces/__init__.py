"""What may be searched: architectures, the spaces they are drawn from, their lowering to the layer
graph, the network, and the supernet that holds weights for all of them. Only `blocks`, `network`
and `supernet` import torch.
"""
