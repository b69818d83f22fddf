"""The customs of a cell: what leaves it, what it lets in, and the record of both. See residency/README.md."""
