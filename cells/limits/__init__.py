"""How much may be sent, by a tenant, from a wallet and for a payer: limits are rules kept as data (rules.py), the check is pure, the
usage is counted in the same commit as the intent it admits.

Invariants: usage counts exactly the transfers admitted and not given back, in the day and month of their
admission, as the jurisdiction counts them; a transfer over any limit adds nothing.
"""
