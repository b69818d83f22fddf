"""The yardstick: an empty FastAPI route under the settings that the API itself is served with.

python -m tests.bench.empty PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

app = FastAPI()


@app.post("/v1/empty")
async def empty() -> Response:
    """Nothing at all."""
    return Response(b"{}", media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning",
        server_header=False,
    )  # fmt: skip
