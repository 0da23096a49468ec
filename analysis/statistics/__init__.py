"""Statistics on plain numbers: seeds, surfaces, Pareto fronts, importance."""
