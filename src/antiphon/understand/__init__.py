"""Request understanding: a sentence taken apart into words, filters and items to be like. Off unless asked for.

    from antiphon.refine import answer
    from antiphon.understand.reader import Reader

    reader = Reader.of(space)
    reading = reader.read("Italian films from the sixties like Amarcord, nothing with war")
    hits = answer(space, reading.wish)

Rules read years, decades, countries, negation, known people and titles. A model may read in their place
(`antiphon.understand.model`); what it gives is checked, and where it does not fit, the rules read.
"""
