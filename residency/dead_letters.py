"""The name of a cell's stream of dead letters: webhook deliveries that were given up, by their ids.

It lives in the cell's own broker account and crosses no border: no corridor exports it (infra/local/nats.py allows the cell's
workers to publish there, and nobody else anything). Named here so that the broker's permissions (infra) and the stream
(cells.backends.nats) cannot disagree. A stream's name may hold no dot; its subject is what people call it by.
"""

STREAM = "WEBHOOK_DLQ"
SUBJECT = "webhook.dlq"
# Ids and a word: a letter is some 200 bytes. What is oldest makes room, since the record is in the database.
STREAM_MAX_BYTES = 64 * 1024 * 1024
LETTER_MAX_BYTES = 4096
KEPT_S = 30 * 24 * 3600
