"""The verbs of `ppgnas engines`."""
