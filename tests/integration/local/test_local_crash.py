"""What the laptop's servers do when one of their own processes dies."""

import shutil

import psutil

from tests.support import servers


def test_a_postgres_that_lost_a_process_ends_so_that_its_supervisor_starts_it_anew() -> None:
    directory = servers.scratch_directory()
    running = servers.start_postgres(directory)
    try:
        worker = next(
            process
            for process in psutil.Process(running.process.pid).children()
            if "checkpointer" in " ".join(process.cmdline())
        )
        worker.kill()
        running.process.wait(30)
    finally:
        servers.stop(running.process)
        shutil.rmtree(directory, ignore_errors=True)
