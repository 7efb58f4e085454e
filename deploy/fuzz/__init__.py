"""Networks nobody designed: differences of the C, the reference and the interpreter."""
