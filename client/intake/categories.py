# SPDX-License-Identifier: Apache-2.0
"""What a product is sold as, in the guard's words (`bls.guard.categories`), from a file's words.

The category decides beside which chats an ad may not appear, so what presses people (loans,
gambling, alcohol, ...) is recognised first, in the category and in the title, whatever else fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bls.guard.categories import CATEGORIES

GENERAL = "general"

_SENSITIVE: Mapping[str, str] = {
    "payday_loans": "payday loan|payday advance|cash advance",
    "loans": "personal loan|quick loan|instant loan|loans",
    "debt_relief": "debt relief|debt consolidation",
    "lottery": "lottery|scratch ?card",
    "gambling": "casino|betting|sportsbook|poker chips?|slot machine|roulette|gambling",
    "firearms": "firearms?|handguns?|pistols?|rifles?|shotguns?|ammo|ammunition|gun holster",
    "tobacco": "tobacco|cigars?|cigarettes?|vape|vaping|e-?liquid|nicotine|hookah",
    "alcohol": "whisk[e]?y|vodka|bourbon|liqueur|tequila|beer|wines?|brandy|gin|rum|alcohol",
    "crypto": "bitcoin|crypto(currency)?|ethereum",
    "trading": "forex|day trading|stock trading",
    "weight_loss": "weight loss|fat burner|diet pills?|slimming (?:tea|tablets?|pills?)|detox|"
    "appetite suppress\\w*",
    "cosmetic_surgery": "botox|liposuction|cosmetic surgery|fillers",
    "fortune_telling": "tarot|psychic|horoscope|fortune tell\\w*",
    "dating": "dating|matchmaking",
}
_PLAIN: Mapping[str, str] = {
    "pharmacy": "pharmacy|tablets? mg|ibuprofen|antiseptic|ointment|capsules?|medication",
    "health": "health|vitamins?|supplements?|probiotics?|herbal|medical|first aid",
    "beauty": "beauty|make-?up|lipstick|mascara|perfume|cologne|shampoo|skin ?care|moistur\\w+|"
    "serum",
    "jewelry": "jewell?e?ry|necklaces?|earrings?|bracelets?|diamonds?|rings? sterling",
    "fashion": "fashion|clothing|apparel|shoes?|sneakers?|boots?|sandals?|slides|heels|flats?|"
    "dress(es)?|shirts?|t-shirts?|jeans|jackets?|coats?|hats?|caps?|bra|skirts?|pants|shorts|"
    "sweaters?|hoodies?|handbags?|blouses?|tops?|tunics?|overalls|belts?|watch(es)?|gowns?|vests?|wallets?|leggings|socks|swimsuits?|scarf|scarves",
    "electronics": "electronics?|phones?|smartphones?|cameras?|laptops?|tablets?|headphones?|"
    "speakers?|usb|wifi|monitors?|televisions?|tv|adapters?|chargers?|gb|bluetooth|computers?",
    "software": "software|apps?|saas|antivirus",
    "telecom": "prepaid|sim card|mobile plan|broadband",
    "appliances": "appliances?|refrigerators?|microwaves?|blenders?|vacuum|dishwashers?|washers?",
    "furniture": "furniture|sofas?|loveseats?|chairs?|tables?|beds?|mattress(es)?|dressers?|desks?",
    "garden": "garden|lawn|mowers?|plants?|seeds|patio|fertili[sz]er|trimmers?",
    "tools": "tools?|drills?|saws?|wrench(es)?|pressure washer|pumps?|generators?",
    "cars": "cars?|auto(motive)?|trucks?|tires?|tyres?|carburetors?|brakes?|spark plugs?|engine|"
    "bumpers?|lift kit|headlights?",
    "pets": "pets?|dogs?|cats?|aquarium|puppy|kitten",
    "baby": "baby|babies|infants?|diapers?|strollers?|toddlers?",
    "toys": "toys?|lego|dolls?|puzzles?",
    "games": "games?|playstation|xbox|nintendo",
    "groceries": "grocer(y|ies)|snacks?|coffee|tea|organic|cereal|chocolate|sauce",
    "food": "food|meals?|pizza",
    "restaurants": "restaurants?|cafe|dining out|bistro",
    "sports": "sports?|golf|tennis|soccer|football|baseball|basketball|hockey|skis?",
    "fitness": "fitness|gym|yoga|dumbbells?|treadmill|workout",
    "outdoors": "outdoors?|camping|tents?|hiking|fishing|backpacks?|kayaks?",
    "books": "books?|novels?|paperback|hardcover",
    "music": "music|guitars?|vinyl records?|pianos?|drums?",
    "film": "film|movies?|dvd|blu-?ray",
    "hotels": "hotels?|rooms?|resorts?|hostels?",
    "flights": "flights?|airlines?|airfare",
    "car_rental": "car rental|rent a car",
    "travel": "travel|trips?|tours?|trains?|cruises?|holidays?|vacations?|luggage",
    "education": "education|courses?|school|tutor(s|ing)?|university|lessons?",
    "insurance": "insurance",
    "banking": "bank(ing)?|savings account|credit card",
    "finance": "finance|invest(ing|ments?)?|mortgage",
    "real_estate": "real estate|apartments? for rent|houses? for sale",
    "events": "tickets?|concerts?|festivals?",
    "home": "home|kitchen|bedding|curtains?|rugs?|lamps?|shutters?|towels?|decor|laminate|cookware",
}


def _compiled(words: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b(?:{text})\b") for name, text in words.items()}


_SENSITIVE_WORDS, _PLAIN_WORDS = _compiled(_SENSITIVE), _compiled(_PLAIN)


def category_of(given: str, title: str, description: str = "") -> str:
    """One of `CATEGORIES`.

    Args:
        given: the file's own category, in any words; a number says nothing.
        description: its beginning is looked at where the title does not decide either.
    """
    said, title = given.casefold(), title.casefold()
    for name, words in _SENSITIVE_WORDS.items():
        if words.search(said) or words.search(title):
            return name
    exact = re.sub(r"[^a-z]+", "_", said).strip("_")
    if exact in CATEGORIES:
        return exact
    return _first(said) or _first(title) or _first(description[:200].casefold()) or GENERAL


def _first(text: str) -> str | None:
    """The category whose words come first in the text."""
    found = ((words.search(text), name) for name, words in _PLAIN_WORDS.items())
    return min(((at.start(), name) for at, name in found if at), default=(0, None))[1]
