"""Who did what in this cell: an append-only trail, hash-chained, with signed checkpoints, checkable with
nothing of ours running.

Invariants: an entry holds ids and codes, and nothing personal or free-text; entries are numbered without
gaps; a checkpoint's signature vouches for every entry up to it; verification takes text and public keys, and
trusts nothing else.
"""
