"""The front door: `import ppgnas`, then read, search, load, score, rescore.

Everything here is a few lines over what the command line calls, so both give the same figures.
Results are typed, show themselves in a notebook and convert to pandas (`ppgnas.notebook`).
"""
