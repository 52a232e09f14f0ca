"""Seeded generators of multi-cloud life with attacks in it, in the layouts in which the providers deliver their logs, with ground truth.

`sample` makes the small bundled story; `generate` makes whole weeks of a company with the attack campaigns of `campaigns` in them.
"""
