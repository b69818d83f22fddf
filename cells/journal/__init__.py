"""The journal: every entry of every life of this cell, append-only. What a life is now is a fold of its entries.

Invariants: an entry is written by the very statement that writes what it is about; of two entries that would be the n-th of a stream one
is written; an entry holds ids, codes, times and amounts, and nothing about a person.
"""
