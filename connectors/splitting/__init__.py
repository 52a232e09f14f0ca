"""Bytes cut into JSON values, fast where the form is the provider's own and value by value where it is not."""
