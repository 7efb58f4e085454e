"""How well cheap figures order networks, against networks that were trained alone."""
