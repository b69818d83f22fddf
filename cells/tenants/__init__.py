"""Who may use this cell: tenants, their API keys, their wallets and the terms of their tier.

Invariants: a tenant has the same id and owner number in every cell; a wallet lives in the region of its
currency; the secret of a key is kept nowhere, only its SHA-256; a wallet's epoch only rises.
"""
