#!/usr/bin/env python3
"""How the process scales: plan, first apply and second plan for 1,000, 10,000 and 100,000 users.

Each organization has 20 UM dial plans, 40 voice pools (40 gateways, 800 hunt groups) and its users in a CSV file. Each
command is a process of its own, on the embedded directory in a new folder; printed are wall seconds, its peak memory
(resident set, MiB), microseconds per user, and the same as a ratio to the size before: 1.0 is linear.

    python bench/process.py [USERS ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLANS, POOLS = 20, 40
STEPS = (("validate", 0), ("plan", 2), ("apply", 0), ("plan", 0), ("drift", 0))


def organization(users: int) -> str:
    """The organization file for a number of users."""
    digits = max(5, len(str(users)))
    parts = [
        "tandem: 1\nname: Bench\ndirectory: state/directory.db\n",
        "forests: [{name: example.com, domains: [example.com]}]",
    ]
    parts.append("messaging_servers:")
    parts += [f"  - {{fqdn: um{n}.example.com, forest: example.com}}" for n in (1, 2)]
    parts.append("um_dial_plans:")
    parts += [f"  - {{name: Plan{n}, forest: example.com, extension_digits: {digits}}}" for n in range(PLANS)]
    parts.append("voice_pools:")
    parts += [f"  - {{fqdn: pool{n}.example.com, forest: example.com}}" for n in range(POOLS)]
    parts.append("voice_dial_plans: [{identity: Global, simple_name: Default}]\nvoice_policies: [{identity: Global}]")
    parts.append('organizational_units: ["OU=People,DC=example,DC=com"]\nusers_csv: users.csv\n')
    return "\n".join(parts)


def write(folder: Path, users: int) -> Path:
    """The files of an organization; returns the organization file."""
    digits = max(5, len(str(users)))
    header = "account,display_name,forest,ou,mail,sip_address,pool,line_uri,extension,um_mailbox_policy"
    with (folder / "users.csv").open("w") as file:
        file.write(header + "\n")
        for n in range(users):
            file.write(
                f'user{n},User {n},example.com,"OU=People,DC=example,DC=com",user{n}@example.com,user{n}@example.com,'
                f"pool{n % POOLS}.example.com,tel:+1425{n:0{digits}d},{n:0{digits}d},Plan{n % PLANS} Default Policy\n"
            )
    path = folder / "organization.yaml"
    path.write_text(organization(users))
    return path


def measure(arguments: list[str], expected: int) -> tuple[float, float]:
    """Wall seconds and peak MiB of one command. Raises if it ends with another code."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tandem", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    code = status >> 8
    if code != expected:
        raise SystemExit(f"tandem {' '.join(arguments)} ended with {code}, expected {expected}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    sizes = parser.parse_args().users
    before: dict[int, float] = {}
    print(f"{'users':>8}  {'command':10} {'seconds':>8} {'MiB':>6} {'us/user':>8} {'ratio':>6}")
    for users in sizes:
        with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
            path = write(Path(folder), users)
            subprocess.run(
                [sys.executable, "-m", "tandem", "directory", "create", str(path)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            for at, (command, code) in enumerate(STEPS):
                seconds, memory = measure([command, str(path)], code)
                each = seconds / users * 1e6
                ratio = f"{each / before[at]:6.2f}" if at in before else "     -"
                before[at] = each
                print(f"{users:8}  {command:10} {seconds:8.1f} {memory:6.0f} {each:8.0f} {ratio}", flush=True)


if __name__ == "__main__":
    main()
