"""What happened, told to partners: events in the commit of the change, deliveries signed and repeated until
they are taken.

Invariants: an event carries ids, states, amounts and codes, and nothing personal; it is stored in the same
commit as what it tells of; its body never changes, so every attempt carries the same bytes under the same id;
delivery is at least once, and the id is what a receiver dedupes by; nothing is sent to an address that is not
on the public internet.
"""
