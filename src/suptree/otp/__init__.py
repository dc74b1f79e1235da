"""Floor 2: the behaviours.  Servers, supervisors, registries, tasks, applications."""

from suptree.otp.child_spec import Backoff, ChildSpec, Startable, StartOptions, child
from suptree.otp.children import RESTARTING, ChildCounts, ChildInfo
from suptree.otp.directives import (
    BadReturn,
    Continue,
    Hibernate,
    Ignore,
    NoReply,
    Reply,
    ServerRef,
    Stop,
    Timeout,
)
from suptree.otp.dynamic import DynamicSupervisor
from suptree.otp.gen_server import GenServer
from suptree.otp.requests import call_handler as call
from suptree.otp.requests import cast_handler as cast
from suptree.otp.supervisor import Supervisor
from suptree.otp.task import Task
from suptree.otp.task_process import TaskExit, TaskValue

__all__ = [
    "RESTARTING",
    "Backoff",
    "BadReturn",
    "ChildCounts",
    "ChildInfo",
    "ChildSpec",
    "Continue",
    "DynamicSupervisor",
    "GenServer",
    "Hibernate",
    "Ignore",
    "NoReply",
    "Reply",
    "ServerRef",
    "StartOptions",
    "Startable",
    "Stop",
    "Supervisor",
    "Task",
    "TaskExit",
    "TaskValue",
    "Timeout",
    "call",
    "cast",
    "child",
]
