"""The built-in devices, and what other devices are made of.

A device that places its workers elsewhere needs a ``join`` (see ``run_worker``) and launches with
``launch_processes``; one with links of its own needs a ``Wire`` and gets the rest of the
communicator from ``MessageCommunicator``.
"""

from harness.devices.collectives import Collectives, chunk_bounds
from harness.devices.compute import compute_threads, numba_threads
from harness.devices.cpu import Cpu, run_here
from harness.devices.crew import die_with_parent, launch_processes
from harness.devices.cuda import Cuda
from harness.devices.memory import measured_device_memory, measured_memory
from harness.devices.mesh import connect, listen
from harness.devices.messages import MessageCommunicator, Service
from harness.devices.payload import byte_count, own_copy
from harness.devices.processes import Processes, join_by_sockets, socket_wire
from harness.devices.running import Failure, Join, Place, WorkerFailed, root_failure, run_main, run_worker, with_shard
from harness.devices.sockets import SocketWire
from harness.devices.threads import ThreadWire, thread_wires
from harness.devices.torch_group import TorchCommunicator, gloo_beside, naming_the_lost, process_group
from harness.devices.wire import Lane, Mailbox, Pending, Wire, farewell

__all__ = [
    "Collectives",
    "Cpu",
    "Cuda",
    "Failure",
    "Join",
    "Lane",
    "Mailbox",
    "MessageCommunicator",
    "Pending",
    "Place",
    "Processes",
    "Service",
    "SocketWire",
    "ThreadWire",
    "TorchCommunicator",
    "Wire",
    "WorkerFailed",
    "byte_count",
    "chunk_bounds",
    "compute_threads",
    "connect",
    "die_with_parent",
    "farewell",
    "gloo_beside",
    "join_by_sockets",
    "launch_processes",
    "listen",
    "measured_device_memory",
    "measured_memory",
    "naming_the_lost",
    "numba_threads",
    "own_copy",
    "process_group",
    "root_failure",
    "run_here",
    "run_main",
    "run_worker",
    "socket_wire",
    "thread_wires",
    "with_shard",
]
