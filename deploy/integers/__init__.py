"""The arithmetic of the device: quantised networks, fixed point, the integer reference."""
