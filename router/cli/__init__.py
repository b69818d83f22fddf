"""The `kovra` command: the stack on this machine, its tenants and actors, and payments from a file.

Each command is a module with `register(app)`. Invariants: with `--json`, stdout holds one JSON document and nothing else;
what is for people about progress goes to stderr; an expected failure is one line and exit status 1, or 2 of a command
that was used wrongly (usage.py), never a traceback.
"""
