"""What recordings are like, before anybody trains on them: clocks, rails, units, doubles, motion.

`inspection` puts it together; the other files each look at one thing.
"""
