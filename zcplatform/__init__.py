"""zcplatform: a multi-tenant platform above the ZeroClaw agent."""
