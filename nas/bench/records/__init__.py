"""Fixed networks under the protocols of the literature, fold by fold."""
