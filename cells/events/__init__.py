"""Events for partners: entries of the journal, read in the order of their commits and shown as what they are about was then.

Invariants: nothing is stored of an event but the entry; its bytes are the same whenever they are made; a reader who goes on from where it was
misses none, whoever commits late; a tenant reads its own.
"""
