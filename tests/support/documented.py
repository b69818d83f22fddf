"""What an OpenAPI document says of a call: the operation at a path, and the problems that it declares."""

import re
from collections.abc import Mapping
from typing import Any

Operation = tuple[str, str]


def documented(document: Mapping[str, Any]) -> dict[Operation, set[str]]:
    """The codes of the problems that each operation declares, by method and path."""
    return {
        (method.upper(), path): {
            code
            for status, response in operation["responses"].items()
            if status >= "4"
            for content in response.get("content", {}).values()
            for code in content.get("examples", {})
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def operation_at(document: Mapping[str, Any], method: str, path: str) -> Operation | None:
    """The operation that a request meets; None where there is no such route. A path without parameters goes first."""
    for template in sorted(document["paths"], key=lambda one: "{" in one):
        pattern = re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in document["paths"][template]:
            return method, template
    return None


def undeclared(document: Mapping[str, Any], method: str, path: str, code: str) -> bool:
    """Whether an operation answered with a problem that it does not declare."""
    met = operation_at(document, method, path)
    return met is not None and code not in documented(document)[met]
