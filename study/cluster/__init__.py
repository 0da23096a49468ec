"""Connects to Ray and manages its nodes: inventory, requirements, resource shares, GPU packing, exclusion."""
