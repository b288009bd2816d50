"""The built-in devices, and what other devices are made of.

A device that places its workers elsewhere needs a ``join`` (see ``run_worker``) and launches with
``launch_processes``; one with links of its own needs a ``Wire`` and gets the rest of the
communicator from ``MessageCommunicator``.
"""

from harness.devices.collectives import Collectives
from harness.devices.compute import compute_threads
from harness.devices.cpu import Cpu, run_here
from harness.devices.crew import die_with_parent, launch_processes
from harness.devices.cuda import Cuda
from harness.devices.memory import measured_device_memory, measured_memory
from harness.devices.mesh import connect, listen
from harness.devices.messages import MessageCommunicator
from harness.devices.processes import Processes, join_by_sockets, socket_wire
from harness.devices.running import Join, Place, WorkerFailed, run_main, run_worker, with_shard
from harness.devices.sockets import SocketWire
from harness.devices.threads import ThreadWire, thread_wires
from harness.devices.torch_group import TorchCommunicator, process_group
from harness.devices.wire import Lane, Mailbox, Pending, Wire

__all__ = [
    "Collectives",
    "Cpu",
    "Cuda",
    "Join",
    "Lane",
    "Mailbox",
    "MessageCommunicator",
    "Pending",
    "Place",
    "Processes",
    "SocketWire",
    "ThreadWire",
    "TorchCommunicator",
    "Wire",
    "WorkerFailed",
    "compute_threads",
    "connect",
    "die_with_parent",
    "join_by_sockets",
    "launch_processes",
    "listen",
    "measured_device_memory",
    "measured_memory",
    "process_group",
    "run_here",
    "run_main",
    "run_worker",
    "socket_wire",
    "thread_wires",
    "with_shard",
]
