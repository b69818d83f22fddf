"""The load process: a pickled Job on stdin, its Result on stdout."""

import pickle
import sys

import uvloop

from tests.bench.client import Job, serve

if __name__ == "__main__":
    job: Job = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(uvloop.run(serve(job))))
