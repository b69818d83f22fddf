"""What a posting says of itself: its kind, the part of a payment it belongs to, its place there, and its phase.

APPEND-ONLY, as all constants of the ledger (chart.py).
"""

from enum import IntEnum


class Code(IntEnum):
    """The kind of a posting; its `code`. A post or void carries the code of what it resolves."""

    COLLECTION = 10  # C1 RAIL → PI
    COLLECTION_CREDIT = 11  # C2 PI → W
    COLLECTION_SUSPENSE = 12  # PI → SUS
    PRINCIPAL = 20  # S1 W → FX
    MARGIN = 21  # S2 W → MARGIN
    FEE = 22  # S3 and I2, W → FEE
    DEALING = 23  # S4 FX → REG
    PAYOUT = 24  # D1 REG → PO
    RECIPIENT_FEE = 25  # POST: D3 REG → FEE, and I4 in region, W → FEE
    PAYOUT_SETTLED = 26  # D2 and I3, PO → RAIL
    IN_REGION = 30  # I1 W → PO
    BOOK = 40  # W → W
    FREEZE = 50  # W → BLOCKED_FUNDS
    UNFREEZE = 51  # BLOCKED_FUNDS → W
    RETURN = 60  # R1 RAIL → PI
    RETURN_POSITION = 61  # R2 PI → REG
    RETURN_CREDIT = 62  # R2 in region, PI → W
    RETURN_DEALING = 63  # R3 REG → FX
    RETURN_PRINCIPAL = 64  # R4 FX → W
    RETURN_MARGIN = 65  # R5 MARGIN → W
    RETURN_FEE = 66  # R6 FEE → W, by the tenant's policy
    RETURN_RECOVERED = 67  # R2 of what was lost, PI → IN_DOUBT_LOSS
    SUSPENSE_ASSIGNED = 70  # SUS → W
    GIVE_BACK = 71  # G1 SUS or W → PI
    GIVEN_BACK = 72  # G2 PI → RAIL
    IN_DOUBT_LOSS = 80  # L1 IN_DOUBT_LOSS → RAIL
    CAP = 90  # REGIONAL_CAP → REG, and back
    BATCH_FUNDING = 100  # E1 W → RSV
    BATCH_REMAINDER = 101  # E2 RSV → W


class Leg(IntEnum):
    """The part of a payment that a chain belongs to."""

    ORIGIN = 1
    DESTINATION = 2
    IN_REGION = 3
    CREDIT = 4
    INTERNAL_TRANSFER = 5
    HOUSE = 6
    RETURN = 7
    RESOLUTION = 8  # what is decided of a credit
    LOSS = 9
    BATCH = 10


class Step(IntEnum):
    """A posting's place in its leg, named as in LEDGER.md."""

    C1 = 1
    C2 = 2
    C3 = 3  # PI → SUS
    S1 = 11
    S2 = 12
    S3 = 13
    S4 = 14
    D1 = 21
    D2 = 22
    D3 = 23  # REG → FEE, the recipient's fee
    I1 = 31
    I2 = 32
    I3 = 33
    I4 = 34  # W → FEE, the recipient's fee
    B1 = 41
    F1 = 45  # W → BLOCKED_FUNDS
    F2 = 46  # BLOCKED_FUNDS → W
    CAP = 51
    R1 = 61
    R2 = 62
    R3 = 63
    R4 = 64
    R5 = 65
    R6 = 66  # FEE → W
    A1 = 71  # SUS → W
    G1 = 72
    G2 = 73
    L1 = 81
    E1 = 91  # W → RSV, the whole of a batch
    E2 = 92  # RSV → W, what is left of it


class Phase(IntEnum):
    """Whether a posting moves money at once, or holds, posts or voids it."""

    DIRECT = 0
    HOLD = 1
    POST = 2
    VOID = 3
