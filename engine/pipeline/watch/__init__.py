"""It runs by itself and says how it is: jobs, health endpoint, self-check, status."""
