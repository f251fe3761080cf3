"""The paths of an agent that the edge does not serve, and those that it serves only for a channel."""

TENANT = [
    "/admin*",
    "/metrics*",
    "/pair/code*",
    "/health*",
    "/api/version*",
    "/api/openapi.json*",
    "/api/docs*",
    "/ws/nodes*",
    "/hooks*",
    "/api/oidc*",
    "/oidc*",
    "/a2a*",
    "*/.well-known/agent*",
]
"""Of an agent: what runs it, describes it, or lets it be driven without a bearer. `POST /pair`, `POST /api/pair` and what asks for a bearer
stay open."""

HOOKS = {"whatsapp": ["/whatsapp*"], "linq": ["/linq*"], "nextcloud_talk": ["/nextcloud-talk*"], "gmail_push": ["/webhook/*"]}
"""Of an agent too: what a service calls for a channel of this type. Closed unless the tenant has such a channel."""
