"""Training a defense, and sweeps over several of them."""
