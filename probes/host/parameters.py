"""What the host probe is told."""

import msgspec

from probes.figures import Count, Limit
from probes.parameters import Duration, Parameters

GIB = 1024**3


class HostParameters(Parameters, frozen=True):
    """What to look at on this machine and where the limits are.

    Of what is free or available less is worse, of what is used more. A crossed `_fail` limit fails, wherever
    the `_warn` limit lies. What a list names has failed if it is not so.

    Attributes:
        timeout: The deadline of the whole run; 10 s is our own choice, all of it takes under one second.
        paths: A file or folder on each disk to look at, `/` if none is given; relative ones start at the
            checklist's folder.
        disk_warn: Free space in %, as `df` counts it: of what an ordinary user can fill. 15 and 5 lie
            around the 10 and 5 that published alert rules use.
        disk_fail: As `disk_warn`.
        disk_fail_bytes: Free bytes below which a disk fails whatever their share, 1 GiB; our own choice.
            Not held against disks smaller than ten times this.
        inodes_warn: Free inodes in %: a disk without any takes no new file, however much space is left. The
            defaults are those of `disk_warn`.
        inodes_fail: As `inodes_warn`.
        memory_warn: Available memory in %, of the machine or of a control group, whichever is tighter. 15
            and 5 lie around the 10 that published alert rules use.
        memory_fail: As `memory_warn`.
        memory_pressure_warn: The share of the last minute, in %, in which something waited for memory
            (`/proc/pressure/memory`, "some"). 10 is our own choice. Of the whole machine; left out where
            the kernel does not tell.
        memory_stall_fail: The same in which everything waited ("full"). 60 is where systemd-oomd begins to
            kill.
        cpu_pressure_warn: As `memory_pressure_warn`, for processors. 100, the default, is never crossed: a
            machine that builds or tests waits for processors and is well.
        io_pressure_warn: As `cpu_pressure_warn`, for disks.
        swap_warn: Used swap in %; 50 is our own choice. It counts only while pages move, or if it has
            grown since the last run: what was swapped out once and rests does no harm.
        load_warn: Load average of five minutes for each core. Above 1 work queues; 2 is our own choice. A
            container is shown the load of the whole machine, so the cores are the machine's too, whatever
            the container may use: see `throttled_warn`.
        load_fail: As `load_warn`.
        throttled_warn: The share of scheduling periods since the last run, in %, in which the control group
            had used up its processor time and had to wait. 25 is the limit of Kubernetes' published alert
            CPUThrottlingHigh. Looked at only where there is a limit (`cpu.max`).
        files_warn: Open files in % of what the kernel allows, for the whole system and for each process of
            `files_of`. 70 and 90 are common in alert rules.
        files_fail: As `files_warn`.
        files_of: Processes whose open files are held against their own limit (`ulimit -n`), as in
            `running`. Those of other users are seen by root alone.
        listening: What must be listening, over TCP: a port ("443": on any address), or an address and a
            port ("127.0.0.1:6379", "[::1]:443"). What listens on all addresses (0.0.0.0, or :: for IPv4
            too, unless its socket is for IPv6 alone) listens on each. In a container: in this container.
        not_listening: What must not be, written in the same way: "23", or "0.0.0.0:6379" for a server that
            must not listen on all addresses.
        running: Processes that must run: the name, or a pattern (`*`, `?`, `[...]`) for the name or the
            whole command line, such as "*gunicorn* app:wsgi*". Zombies and stopped ones do not run. gonogo
            itself is not counted, and what it was started by (a login's sshd, cron) by its name alone.
        not_running: Processes that must not be there, as in `running`. Zombies are not.
        clock: An address (http or https) of a server whose clock is right: its `Date` header is compared
            with the clock of this machine. Not looked at by default.
        clock_warn: The difference from which on the clock is degraded; 5 s is our own choice, well above
            the second that the header is exact to. The time the answer took is allowed for.
        clock_fail: The difference from which on it has failed; 5 min is what Kerberos tolerates.
        uptime_warn: An uptime below this is degraded, as after a reboot nobody planned; "10m" is common.
            0 s, the default, is never crossed: many releases begin with a reboot.
    """

    timeout: Duration = "10s"
    paths: list[str] = msgspec.field(default_factory=lambda: ["/"])
    disk_warn: Limit = 15.0
    disk_fail: Limit = 5.0
    disk_fail_bytes: Count = GIB
    inodes_warn: Limit = 15.0
    inodes_fail: Limit = 5.0
    memory_warn: Limit = 15.0
    memory_fail: Limit = 5.0
    memory_pressure_warn: Limit = 10.0
    memory_stall_fail: Limit = 60.0
    cpu_pressure_warn: Limit = 100.0
    io_pressure_warn: Limit = 100.0
    swap_warn: Limit = 50.0
    load_warn: Limit = 1.0
    load_fail: Limit = 2.0
    throttled_warn: Limit = 25.0
    files_warn: Limit = 70.0
    files_fail: Limit = 90.0
    files_of: list[str] = msgspec.field(default_factory=list)
    listening: list[str] = msgspec.field(default_factory=list)
    not_listening: list[str] = msgspec.field(default_factory=list)
    running: list[str] = msgspec.field(default_factory=list)
    not_running: list[str] = msgspec.field(default_factory=list)
    clock: str = ""
    clock_warn: Duration = "5s"
    clock_fail: Duration = "5m"
    uptime_warn: Duration = "0s"
