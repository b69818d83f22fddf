"""What an exchange costs: reference rates, the arithmetic of a quote, and the quotes themselves.

Invariants: a quote holds whole minor units and nothing later multiplies a rate; no minor unit is created or
lost between what the wallet gives and what principal, margin and fee take, nor between what is paid out and what arrives; a quote is used once, by one
transfer, before the database's clock passes its expiry.
"""
