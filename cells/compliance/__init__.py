"""Screening of names against sanctions lists, and the rules that send a payment to a person for review.

Invariants: what could not be checked in time is in review, never clear; no likeness of names blocks by itself; what
leaves this room says which list versions were used and with what result, never which entry was met.
"""
