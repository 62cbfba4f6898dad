"""What crosses between a judge and a worker: plain data, jobs, answers."""
