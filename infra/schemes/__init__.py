"""The simulated schemes: one process per region that behaves as its rails' operators do, over real HTTP.

Written apart from cells/rails: its own reading and writing of messages (lxml, by hand), its own rules, so
that both cannot be wrong alike. It keeps a durable count of what it was asked and what it paid, and never a
name or an account number (an undelivered inbound message is kept until its receiver has answered).
"""
