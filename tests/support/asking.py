"""What a partner asks of a wallet, as the API would put it."""

from cells.journal.entry import Author
from cells.kit.command import Command
from cells.payments.transfer import Cancel, Transfer

# Who asks, where it makes no difference which of the tenant's keys it was.
PARTNER = Author("key_eu1_06a1b2c3d4e5f6g7h8i9j0k1l2", "req_eu1_06a1b2c3d4e5f6g7h8i9j0k1l2")


def cancel_command(transfer: Transfer, command_id: str = "") -> Command:
    """What a partner's cancel asks of the wallet."""
    asked = Cancel(transfer.transfer_id, PARTNER)
    return Command(command_id or f"{transfer.transfer_id}:cancel", transfer.wallet_id, "cancel", asked)
