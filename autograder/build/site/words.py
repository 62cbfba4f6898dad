"""What the builder itself says on a page, by language."""

WORDS = {
    "en": {
        "exercise": "Exercise",
        "point": "point",
        "points": "points",
        "minutes": "minutes",
        "about": "about",
        "difficulty": "difficulty {} of 3",
        "show": "The solution",
        "hint": "Hint",
        "check": "Check it:",
        "output": "Output",
        "exercises": "exercises",
        "lessons": "Lessons",
        "none": "None has landed yet.",
        "intro": "Each lesson asks you to write the functions that it needs, and checks them.",
    }
}
