"""How a running tunnel is watched and steered: logs, metrics, signals, the service manager."""
