"""Who is who: one person in several recordings, names and folders."""
