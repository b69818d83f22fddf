"""Recipients and payers: the people and companies of a payment, kept so that only their own region can read
them.

Invariants: personal data lives only in the vault, sealed per subject; a table row holds nothing about a
person; a recipient leaves its region only as a signed token that names the tenant it was issued to.
"""
