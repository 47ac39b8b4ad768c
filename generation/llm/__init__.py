"""How models are talked to: requests, replies, the client, the egress guard and the stand-in."""
