"""A tenant's whole life on a simulated place."""

from tests.simulated import invariants
from tests.simulated.rig import Rig


def test_create_deploy_stop_start_restart_delete(rig: Rig) -> None:
    rig.create("shop")
    rig.deploy("shop")
    rig.run(30)
    assert rig.row("shop").state == "running", rig.row("shop")
    invariants.at_rest(rig)
    first = rig.remains("shop").container
    rig.stop("shop")
    rig.run(30)
    assert rig.row("shop").state == "stopped"
    invariants.at_rest(rig)
    rig.start("shop")
    rig.run(30)
    assert rig.row("shop").state == "running"
    assert rig.remains("shop").container is first, "the same container was started again"
    rig.restart("shop")
    rig.run(30)
    assert rig.row("shop").state == "running"
    invariants.at_rest(rig)
    rig.delete("shop")
    rig.run(30)
    assert rig.rows() == []
    assert rig.world.tenants == {}
    invariants.at_rest(rig)
    invariants.at_the_end(rig)


def test_more_name_servers_than_an_agent_reads_prevent_no_start(rig: Rig) -> None:
    """A settings file may name more: the firewall opens them all, an agent gets the first three."""
    servers = ["1.1.1.1", "9.9.9.9", "8.8.8.8", "8.8.4.4"]
    rig.settings = rig.settings.model_copy(update={"resolvers": servers})
    rig.start_worker()
    rig.create("shop")
    rig.deploy("shop")
    rig.settle()
    container = rig.remains("shop").container
    assert rig.row("shop").state == "running", rig.row("shop").reason
    assert container is not None
    assert container.workload.resolvers == tuple(servers[:3])


def test_a_plan_that_the_machine_cannot_give_removes_nothing_that_runs(rig: Rig) -> None:
    """F1: the engine says whether it can run the workload before anything that serves is removed for it."""
    rig.create("shop")
    rig.deploy("shop")
    rig.settle()
    container = rig.remains("shop").container
    rig.database.write_now(lambda tx: tx.execute("UPDATE plans SET cpu_millis = 200000"))
    rig.run(120)
    assert container is not None
    assert rig.remains("shop").container is container
    assert (container.is_alive, container.starts, rig.row("shop").error_code) == (True, 1, "host.too_small")
    assert rig.row("shop").id in rig.edge.routes()
