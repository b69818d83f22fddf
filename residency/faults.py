"""What is wrong with a file of data, in sentences: for whoever writes one by hand."""

from pydantic import ValidationError


def faults_of(error: ValidationError) -> list[str]:
    """Each fault by its key, without a full stop: `capacity.hosting_actors: Field required`."""
    return [
        ": ".join(filter(None, [".".join(str(part) for part in one["loc"]), one["msg"].removeprefix("Value error, ")]))
        for one in error.errors(include_url=False, include_input=False)
    ]
