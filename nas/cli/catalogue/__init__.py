"""What comes with ppgnas, listed and shown: boards, engines, teachers, data sets."""
