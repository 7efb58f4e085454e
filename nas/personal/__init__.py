"""One wearer: the first minutes of a recording adapt a network, the rest says what came of it."""
