"""The API against a fuzzer (schemathesis) that knows nothing but its OpenAPI document: every check, every route.

`make test` runs it for seconds (tests/integration/test_api_fuzzed.py), `make fuzz` for as long as it takes (long.py).
"""
