"""The API against a fuzzer (schemathesis) that knows nothing but its OpenAPI document: every check, every route. And against mutants of right
requests (mutants.py: what is said twice, no I-JSON, times and numbers at their edges) and batches in every form (batch_forms.py).

`make test` runs it for seconds (tests/integration/api/test_api_fuzzed.py), `make fuzz` for as long as it takes (long.py).
"""
