"""Teachers: networks that need not fit any chip, one file a family, and what is known of each.

A name says family and size (`names`), `teacher_of` trains or reads what a name means.
"""
