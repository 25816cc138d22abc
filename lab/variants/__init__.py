"""Variants: other recordings, made of one that exists, that could have happened.

Everything here is pure: drafts in, drafts out (`session/drafts.py`). `structure.py` says what a session
is made of, for who cuts it or changes it; `checks.py` what could not have happened; `removal.py` leaves out
parts of it; `trim.py` keeps a stretch, `shrink.py` looks for the smallest that still fails.
"""
