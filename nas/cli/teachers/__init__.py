"""The verbs of `ppgnas teachers`."""
