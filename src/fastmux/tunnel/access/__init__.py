"""Who may reach what: rules, identities, addresses, revocation."""
