"""The global router: finds the cell that a request belongs to, and carries it there.

Invariants: it never reads a body, keeps no record, logs no header, and knows no person; it has no database; a cell that is
down, slow or full takes nothing from the others. It imports `residency` and `cells.kit`, and nothing else of ours.
"""
