"""The verbs of `ppgnas data`."""
