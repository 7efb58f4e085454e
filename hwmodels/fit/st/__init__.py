"""ST's tools on whole networks: the law of their cycles, their memory, their held-out errors."""
