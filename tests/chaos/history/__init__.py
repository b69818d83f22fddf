"""What clients saw, and whether one honest, single-threaded Kovra could have said it. In the manner of Jepsen's ledger test."""
