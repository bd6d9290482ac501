# SPDX-License-Identifier: Apache-2.0
"""A small generative model of contexts: 8 fields of life x 8 topics on the unit sphere of R^128.

The world's own constants are drawn from `WORLD_SEED`, never from a data set's seed: two data sets
are two samples of one world. A topic is its field's direction and its own; a context is mostly one
topic with a bit of another; an ad is its topic and its product.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.contracts import CTX

F32 = NDArray[np.float32]

WORLD_SEED = 20250423

FIELDS: tuple[tuple[str, ...], ...] = (
    (
        "hotel: boutique hotel, beach resort, city apartment",
        "flight: nonstop flight, cabin upgrade, weekend fare",
        "car: rental car, electric hatchback, family van",
        "train: rail pass, sleeper ticket, coach seat",
        "cruise: river cruise, island cruise, fjord cruise",
        "tour: walking tour, museum pass, food tour",
        "luggage: carry-on suitcase, travel backpack, packing cubes",
        "insurance: travel cover, trip protection, rental cover",
    ),
    (
        "restaurant: tasting menu, rooftop dinner, brunch table",
        "coffee: espresso machine, coffee beans, burr grinder",
        "grocery: grocery box, fruit basket, pantry kit",
        "wine: red wine case, sparkling wine, tasting set",
        "kitchen: chef knife, cast iron pan, stand mixer",
        "diet: meal plan, protein bar, smoothie kit",
        "bakery: sourdough loaf, birthday cake, pastry box",
        "delivery: pizza delivery, sushi platter, lunch bowl",
    ),
    (
        "phone: smartphone, phone case, wireless charger",
        "laptop: thin laptop, gaming laptop, docking station",
        "audio: noise cancelling headphones, smart speaker, earbuds",
        "camera: mirrorless camera, action camera, tripod",
        "television: oled television, soundbar, streaming stick",
        "software: photo editor, password manager, cloud storage",
        "network: mesh router, fibre plan, mobile plan",
        "game: console bundle, racing game, puzzle game",
    ),
    (
        "sofa: corner sofa, reading chair, coffee table",
        "bed: memory mattress, linen sheets, oak bed frame",
        "garden: garden shears, patio set, herb planter",
        "tool: cordless drill, tool chest, laser level",
        "light: floor lamp, smart bulb, pendant light",
        "cleaning: robot vacuum, steam mop, air purifier",
        "paint: wall paint, wood stain, wallpaper",
        "heating: heat pump, smart thermostat, wood stove",
    ),
    (
        "shoe: running shoes, leather boots, trail shoes",
        "dress: summer dress, wool coat, linen shirt",
        "watch: diving watch, smart watch, dress watch",
        "jewelry: silver ring, pearl necklace, gold bracelet",
        "beauty: face serum, lipstick set, night cream",
        "hair: hair dryer, curl cream, beard trimmer",
        "bag: leather tote, messenger bag, evening clutch",
        "glasses: reading glasses, polarised sunglasses, contact lenses",
    ),
    (
        "bike: gravel bike, city bike, bike helmet",
        "yoga: yoga mat, pilates class, meditation app",
        "gym: gym membership, kettlebell set, rowing machine",
        "camping: two person tent, sleeping bag, camp stove",
        "ski: ski pass, ski jacket, snowboard",
        "football: match ticket, football boots, team jersey",
        "fishing: fishing rod, tackle box, wading boots",
        "swimming: swim goggles, wetsuit, pool pass",
    ),
    (
        "bank: savings account, travel card, brokerage account",
        "loan: home loan, car loan, student loan",
        "tax: tax software, bookkeeping service, tax adviser",
        "job: resume review, interview course, job board",
        "course: language course, coding bootcamp, drawing class",
        "book: mystery novel, cookbook, audiobook plan",
        "school: maths tutor, school laptop, study planner",
        "law: will kit, contract review, patent search",
    ),
    (
        "doctor: health check, online doctor, hearing test",
        "dentist: whitening kit, electric toothbrush, dental plan",
        "pet: dog food, cat tree, puppy class",
        "baby: pram, baby monitor, diaper box",
        "event: concert ticket, theatre seat, comedy show",
        "gift: flower bouquet, gift card, photo album",
        "home: apartment rental, moving service, house viewing",
        "music: acoustic guitar, piano lesson, vinyl record",
    ),
)

TOPICS = tuple(line.split(": ")[0] for field in FIELDS for line in field)
PRODUCTS = tuple(tuple(line.split(": ")[1].split(", ")) for field in FIELDS for line in field)

_FIELD, _OWN = 0.55, 0.85
"""Lengths of a topic's two directions: a cosine of about 0.3 between topics of one field."""


@cache
def centroids() -> F32:
    """[64, 128] unit vectors of `TOPICS`."""
    rng = np.random.default_rng(WORLD_SEED)
    field = unit(rng.standard_normal((len(FIELDS), CTX)))
    own = unit(rng.standard_normal((len(TOPICS), CTX)))
    return unit(_FIELD * np.repeat(field, len(FIELDS[0]), axis=0) + _OWN * own)


@cache
def products() -> F32:
    """[64, 3, 128] unit vectors of `PRODUCTS`."""
    rng = np.random.default_rng(WORLD_SEED + 1)
    own = unit(rng.standard_normal((len(TOPICS), len(PRODUCTS[0]), CTX)))
    return unit(centroids()[:, None, :] + 0.35 * own)


def draw_contexts(count: int, rng: np.random.Generator) -> tuple[F32, NDArray[np.int64]]:
    """[count, 128] context vectors and their main topics."""
    topic, other = rng.integers(len(TOPICS), size=(2, count))
    noise = 0.5 * unit(rng.standard_normal((count, CTX)))
    second = rng.uniform(0, 0.5, (count, 1)) * centroids()[other]
    return unit(centroids()[topic] + second + noise), topic


def unit(vectors: NDArray[Any]) -> F32:
    """The same directions, of length 1, as f32."""
    scaled: F32 = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled
