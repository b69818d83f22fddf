"""Batches: up to ten thousand payments of one wallet, funded as a whole, moved line by line.

Invariants: a batch is funded once, by the sum of the prices of its valid lines; each line is an ordinary payment whose hold is drawn on
the wallet's reserve instead of on the wallet; when the last line has ended, what none of them spent goes back, so that a batch at
rest leaves the reserve as it found it. Every step starts from the rows, so any process may die between two.
"""
