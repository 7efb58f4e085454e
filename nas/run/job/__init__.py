"""A long job: how far it is, how Ctrl-C ends it, what it runs on."""
