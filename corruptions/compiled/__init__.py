"""The inner loops of corruptions, compiled for a CPU: the same bytes as the torch programs, much faster."""
