"""Engines that run the work: this process, a pool of processes, or a Ray cluster; all three share one dispatch loop."""
