"""Learning from people where a machine is wrong: evidence, models of it, and when to use them."""
