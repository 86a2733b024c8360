"""Who computes: this process, a pool of processes, or a Ray cluster; one dispatch loop for all three."""
