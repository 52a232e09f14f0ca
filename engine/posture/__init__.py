"""What is known of assets, and since when: events → facts → history."""
