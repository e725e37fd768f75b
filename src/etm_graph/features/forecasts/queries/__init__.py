"""Reading forecasts and what people say about them."""
