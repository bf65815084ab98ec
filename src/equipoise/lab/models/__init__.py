"""Networks for several tasks: encoders, and heads upon them."""
