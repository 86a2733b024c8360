"""From models and settings to stored outcomes: preflight, plan, workers, referee and engines."""
