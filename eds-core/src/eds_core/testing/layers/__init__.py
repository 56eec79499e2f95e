"""The tests of the kit, in the order in which a new driver meets them."""
