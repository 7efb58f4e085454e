"""The search and its command line: budgets and recordings in, int8 networks and a report out.

This room knows every other one. It asks `hwmodels` what an architecture costs, `distill` how well
it reads heart rate and `deploy` for the files, and keeps the run directory that ties them
together.
"""
