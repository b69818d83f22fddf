"""All that a cell documents, whoever it is for: the partners', the operator's and the schemes' documents as one."""

from typing import Any

from fastapi import FastAPI

from residency.directory import load_directory
from router.api.documents import AUDIENCES, document


def whole_document(app: FastAPI) -> dict[str, Any]:
    """One document with the paths and schemas of the three. The schemas that two of them have are the same."""
    regions = sorted(load_directory().regions)
    first, *others = (document(app, audience, regions) for audience in AUDIENCES)
    for one in others:
        assert not first["paths"].keys() & one["paths"].keys()
        first["paths"] |= one["paths"]
        schemas = first["components"]["schemas"]
        assert all(schemas.get(name, schema) == schema for name, schema in one["components"]["schemas"].items())
        schemas |= one["components"]["schemas"]
    return first
