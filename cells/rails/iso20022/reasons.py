"""The ISO 20022 reason codes that our rails use, by code.

Source: ISO 20022 external code sets, ExternalStatusReason1Code (iso20022.org, "External code sets"). A
scheme's profile picks the ones it uses; a code outside its list is still a refusal when the status is RJCT.
"""

ISO_REASONS = {
    "AB05": "Time-out at the creditor's bank.",
    "AB06": "Time-out at an instructed bank.",
    "AB08": "The creditor's bank is offline.",
    "AC01": "The account number is wrong.",
    "AC03": "The creditor's account number is not valid.",
    "AC04": "The account is closed.",
    "AC06": "The account is blocked.",
    "AG01": "The account may not receive this kind of payment.",
    "AG09": "The original payment was never received.",
    "AM02": "The amount is above what the scheme or the account allows.",
    "AM03": "The currency is not one the scheme or the account takes.",
    "AM04": "There is not enough money.",
    "AM05": "The payment is a duplicate.",
    "AM06": "The amount is below the scheme's minimum.",
    "AM12": "The amount is not valid.",
    "BE01": "The name does not match the account.",
    "BE04": "The creditor's address is missing or wrong.",
    "CH16": "An element of the message is formally incorrect.",
    "CNOR": "The creditor's bank is not registered with the scheme.",
    "FF01": "The file format is invalid.",
    "MD07": "The account holder is deceased.",
    "MS03": "The bank gives no reason.",
    "RC01": "The bank identifier is wrong.",
    "RR04": "Refused for a regulatory reason.",
    "TM01": "The payment arrived after the time allowed.",
}


def pick(*codes: str) -> dict[str, str]:
    """The texts of these codes. A code that is not in the list is a bug."""
    return {code: ISO_REASONS[code] for code in codes}
