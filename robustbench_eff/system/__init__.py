"""The machine: devices and threads, versions and hardware, reachable hosts."""
