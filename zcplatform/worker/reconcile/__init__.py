"""Bring tenants from their observed to their desired state: the schedule, the choice of steps, and the steps."""
