"""The prompts in American English."""

TEXTS = {
    "person-at-extension": "The person at extension",
    "not-available": "is not available.",
    "leave-a-message": "Please leave a message after the tone. When you are done, hang up, or press the pound key.",
    "message-sent": "Your message has been sent. Goodbye.",
    "nothing-recorded": "Sorry, no message was recorded. Goodbye.",
    "goodbye": "Goodbye.",
    "digit-0": "zero",
    "digit-1": "one",
    "digit-2": "two",
    "digit-3": "three",
    "digit-4": "four",
    "digit-5": "five",
    "digit-6": "six",
    "digit-7": "seven",
    "digit-8": "eight",
    "digit-9": "nine",
}
