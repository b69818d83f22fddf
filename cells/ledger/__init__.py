"""The books of one cell: chart of accounts, posting chains, and the engines that keep them."""
