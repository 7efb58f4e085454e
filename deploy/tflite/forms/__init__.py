"""Forms in which converters write one thing, brought to one, in the order of `reader`."""
