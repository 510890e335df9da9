"""Congestion control: how much may be in flight, decided once a batch of acknowledgements."""
