"""The JSON of /readyz and /api/loops."""

from pydantic import BaseModel, Field


class Loop(BaseModel):
    """A periodic task of the worker. `error` and `failures` are about the last round that ended."""

    name: str = Field(description="For example `reconcile` or `mail`.")
    period_s: float = Field(description="Seconds between two rounds.")
    is_running: bool = Field(description="A round is running now.")
    is_late: bool = Field(description="A round is overdue, or takes longer than a round may.")
    started_at: str | None = Field(description="When the last round started.")
    finished_at: str | None = Field(description="When the last complete round ended.")
    duration_s: float | None = Field(description="Seconds the last round took, or the running one has taken so far.")
    result: str = Field(description="What the last round reports; mostly empty.")
    error_code: str = Field(description="Empty when the last round succeeded.")
    error: str
    failures: int = Field(description="Failed rounds since the last good one.")
    rounds: int = Field(description="Rounds since the worker started.")


class Loops(BaseModel):
    items: list[Loop]


class Ready(BaseModel):
    ready: bool
    database: str = Field(description="`writable`, or the code of the error.")
    worker: str = Field(description="`seen`, or when it was last seen.")
    loops: list[str] = Field(description="Loops of the worker that are late or failing, for example `mail: failing`.")
