"""Docker as the engine: its HTTP interface, the bodies it is sent, and the place that is made of them."""
