"""Networks nobody designed, and builds nobody uses: differences of C, reference, interpreter."""
