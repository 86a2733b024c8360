"""The inner loops of corruptions, compiled for a CPU: the bytes of the torch programs beside them, much faster."""
