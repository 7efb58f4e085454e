"""The verbs of `ppgnas bench`."""
