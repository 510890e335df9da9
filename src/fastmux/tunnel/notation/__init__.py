"""How people write hosts, ports, paths, targets, rates and times."""
