"""The verbs of `ppgnas boards`."""
