"""The prompts in American English."""

TEXTS = {
    "person-at-extension": "The person at extension",
    "not-available": "is not available.",
    "leave-a-message": "Please leave a message after the tone. When you are done, hang up, or press the pound key.",
    "message-sent": "Your message has been sent. Goodbye.",
    "nothing-recorded": "Sorry, no message was recorded. Goodbye.",
    "goodbye": "Goodbye.",
    **{
        f"digit-{digit}": word for digit, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    },
}
