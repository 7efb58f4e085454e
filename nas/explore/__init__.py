"""Looking for architectures: the problem, the study, finalists, another board."""
