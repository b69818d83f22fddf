"""The load process: a pickled Job on stdin, its Result into the file it is given."""

import pickle
import sys
from pathlib import Path

import uvloop

from tests.bench.client import Job, serve

if __name__ == "__main__":
    job: Job = pickle.load(sys.stdin.buffer)
    Path(sys.argv[1]).write_bytes(pickle.dumps(uvloop.run(serve(job))))
