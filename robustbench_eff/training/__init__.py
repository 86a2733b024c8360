"""Training a network with a defense, and sweeps over several defenses."""
