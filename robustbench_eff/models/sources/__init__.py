"""One file per model source: what is missing, and how the network is built."""
