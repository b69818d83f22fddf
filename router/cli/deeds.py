"""Which commands change something, and what each leaves on the audit trail of the cells concerned. `python -m router.cli.deeds` writes
the table of router/README.md; tests/architecture/test_deeds.py holds both against the commands."""

from types import MappingProxyType

# The actions of each command that changes a cell's record.
DEEDS = MappingProxyType(
    {
        "doctor release": ("doctor.release",),
        "messages": ("messages.show",),
        "tenants create": ("tenants.create",),
        "tenants set-tier": ("tenants.set-tier",),
        "tenants set-return-policy": ("tenants.set-return-policy",),
        "tenants keys create": ("tenants.keys.create",),
        "tenants keys revoke": ("tenants.keys.revoke",),
        "tenants keys rotate": ("tenants.keys.rotate", "tenants.keys.expire"),
        "tenants keys admin": ("tenants.keys.admin",),
        "fees add": ("fees.add",),
        "limits set": ("limits.set",),
        "suspense assign": ("suspense.assign",),
        "suspense return": ("suspense.return",),
        "review show": ("review.names",),
        "review clear": ("review.clear", "review.clear.proposed"),
        "review refuse": ("review.refuse", "review.refuse.proposed"),
        "review block": ("review.block", "review.block.proposed"),
        "review release": (
            "review.release.proposed", "review.release", "review.release_to_payer.proposed", "review.release_to_payer",
            "review.release_to_payee.proposed", "review.release_to_payee",
        ),
        "doubts settled": ("review.doubt_settled", "review.doubt_settled.proposed"),
        "doubts refused": ("review.doubt_refused", "review.doubt_refused.proposed"),
        "audit export": ("audit.export",),
        "recall ask": ("recall.ask",),
        "recall accept": ("recall.accept",),
        "recall refuse": ("recall.refuse",),
    }
)  # fmt: skip
# What the stack of a machine does by itself as it starts: its sandbox tenant, under the actor system:sandbox.
STARTING = ("sandbox.provision",)
ACTIONS = frozenset(action for actions in DEEDS.values() for action in actions) | set(STARTING)

# Looking reads a cell's record in transactions that cannot write.
_LOOKS = "looks"
_PARTNER = "asks the partner API, whose own entry it is"
_SCHEMES = "speaks to a simulated scheme, or asks the partner API: no cell's record is changed by the command"
STACK = "the processes and files of this machine"
OTHERS = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "trace", "journal show", "journal read", "journal rebuild", "doctor", "payments list", "payments blocked", "recalls", "actors", "rails", "reconcile", "tenants list", "tenants show", "tenants tiers", "tenants keys list",
                "fees list", "fees explain", "fees backtest", "limits list", "suspense list", "review list", "doubts list",
            ),
            _LOOKS,
        ),
        **dict.fromkeys(("pay", "batch submit", "batch show", "batch lines"), _PARTNER),
        **dict.fromkeys(
            (
                "sandbox table", "sandbox deposit", "sandbox state", "sandbox payments", "sandbox settle", "sandbox reject", "sandbox return",
                "sandbox recall", "sandbox duplicate", "sandbox open", "sandbox close", "sandbox hours", "sandbox advance", "sandbox statement",
            ),
            _SCHEMES,
        ),
        **dict.fromkeys(("run", "up", "down", "status", "clean", "demo"), STACK),
    }
)  # fmt: skip


def table() -> str:
    """`command × audit actions`, as router/README.md has it."""
    rows = [
        f"| `kovra {command}` | {', '.join(f'`{action}`' for action in actions)} |"
        for command, actions in DEEDS.items()
    ]
    return "\n".join(("| Command | On the audit trail |", "| --- | --- |", *rows))


if __name__ == "__main__":
    print(table())
