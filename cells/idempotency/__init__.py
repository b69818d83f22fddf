"""The first answer given under an Idempotency-Key, kept in the cell's Postgres for as long as the payment.

Invariants: a key is claimed in the very commit that does what was asked for; the same key with another body is refused; an answer,
once given, is the answer for ever. Keys are scoped to tenant and operation.
"""
