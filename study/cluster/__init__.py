"""Connects to Ray and knows its machines: inventory, fitness, shares, packing, exclusion."""
