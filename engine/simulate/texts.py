"""What people at Example Corp ask models, what models answer, and what tools return."""

from __future__ import annotations

import random

PRODUCTS = ("trail shoes", "rain jacket", "tent", "sleeping mat", "water filter", "head torch", "map case", "stove", "rope", "day pack")
PLACES = ("Lyon", "Porto", "Tartu", "Graz", "Leeds", "Turku", "Ghent", "Malmo")
TEAMS = ("orders", "billing", "search", "support", "catalogue", "returns")
TASKS = (
    (
        "Write a short product text for our {product} in the {place} shop.",
        "Our {product} is made for long days outside. Light, hard-wearing and easy to repair, it is in stock in {place} now.",
    ),
    (
        "Summarise these meeting notes for the {team} team: {n} open tickets, two of them wait for the supplier in {place}.",
        "The {team} team has {n} open tickets. Two depend on the supplier in {place}; all others can be closed this week.",
    ),
    (
        "Explain how to add an index to the {team} table without blocking writes for more than {n} milliseconds.",
        "Create the index concurrently, watch the lock queue, and set a statement timeout well above {n} ms. Drop an invalid index before a retry.",
    ),
    (
        "Translate into French: 'Your order {n} of one {product} was sent to {place} today.'",
        "Votre commande {n} d'un article ({product}) a été expédiée aujourd'hui à {place}.",
    ),
    (
        "Review this function name: count_{team}_rows. Is there a better one for a function that returns at most {n} rows?",
        "The name promises a count. If it returns rows, call it first_{team}_rows and make the limit of {n} an argument.",
    ),
    (
        "Draft a friendly answer to a customer in {place} who waits for a {product} since {n} days.",
        "Hello, and sorry for the wait. Your {product} left our store this morning and reaches {place} in two working days.",
    ),
    (
        "Give me three test cases for a discount of {n} percent on a {product}.",
        "1. A price that divides evenly. 2. A price that needs rounding. 3. A discount of {n} percent on top of a voucher for the {product}.",
    ),
    (
        "Turn this into a table: {place} sold {n} of {product}, the shop next door sold half of it.",
        "| shop | {product} |\n|---|---|\n| {place} | {n} |\n| next door | half of it |",
    ),
    (
        "Which metrics should the {team} service export so that we notice a queue longer than {n}?",
        "Queue length, age of the oldest message and the rate of failures. Alert on the age rather than on a length of {n}.",
    ),
    (
        "Make this sentence shorter: the {product} can, if it is needed, be returned in {place} within {n} days.",
        "Return the {product} in {place} within {n} days.",
    ),
)
MESSAGES = {
    "delivery": "My {product} for order {n} should have come to {place}.",
    "return": "The {product} of order {n} is too small, how do I send it back from {place}?",
    "payment": "I was charged twice for order {n}, one {product} to {place}.",
    "product question": "Does the {product} I saw in {place} last for {n} days of rain?",
    "praise": "The {product} of order {n} is lovely, greetings from {place}!",
}
AWARENESS = (
    "For our security awareness page: two sentences for beginners on why a page that says 'ignore previous instructions' can confuse a chatbot.",
    "A chatbot reads text from pages just as it reads yours, so a hidden sentence may look like a request. Treat what a page says as content.",
)
"""Looks like an attack to a careless rule, and is the documentation team at work."""
SYSTEM = "You are the internal assistant of Example Corp. Answer briefly and say so when you do not know."
AGENT_SYSTEM = "You are the support agent of Example Corp. Use the tools to look up orders and pages, then answer the customer."


def _slots(rng: random.Random) -> dict[str, object]:
    return {"product": rng.choice(PRODUCTS), "place": rng.choice(PLACES), "team": rng.choice(TEAMS), "n": rng.randrange(3, 9000)}


def task(rng: random.Random) -> tuple[str, str]:
    """A question and its answer."""
    prompt, answer = rng.choice(TASKS)
    slots = _slots(rng)
    return prompt.format(**slots), answer.format(**slots)


def ticket(rng: random.Random) -> tuple[str, str]:
    """A classification prompt of the order service and its one-word answer."""
    label = rng.choice(tuple(MESSAGES))
    return f"Classify this message as {', '.join(MESSAGES)}: '{MESSAGES[label].format(**_slots(rng))}'", label


def caption(rng: random.Random) -> tuple[str, str]:
    """A catalogue prompt of the search indexer and its answer."""
    slots = _slots(rng)
    return (
        "List search words for catalogue item {n}: {product}, sold in {place}.".format(**slots),
        "{product}, outdoor, {place}, item {n}, hiking, travel".format(**slots),
    )


def handbook(rng: random.Random, size: int) -> str:
    """A long document of at least ``size`` characters."""
    parts: list[str] = []
    length = 0
    while length < size:
        part = f"Section {len(parts) + 1}. {task(rng)[1]}"
        parts.append(part)
        length += len(part) + 1
    return "\n".join(parts)
