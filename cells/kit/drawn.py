"""What a README shows of a table in the code: drawn anew between two markers, so that it can be held against the code."""


def redrawn(text: str, source: str, drawing: str) -> str:
    """`text` with `drawing` between the markers of `source`. Raises ValueError where `text` has no such pair of markers."""
    begin, end = (f"<!-- drawn from {source}: {edge} -->\n" for edge in ("begin", "end"))
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{drawing}{end}{after}"
