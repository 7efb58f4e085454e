"""`ppgnas bench deploy`: do the files compute what was evaluated, and what do they cost?"""
