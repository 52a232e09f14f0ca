"""Jobs on a schedule: when each is due, who runs it, what it says, and whether all is well."""
