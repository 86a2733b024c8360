"""Architectures of published robust networks, with the names of tensors that their checkpoints have."""
