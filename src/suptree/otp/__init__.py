"""Floor 2: the behaviours.  Servers, supervisors, registries, tasks, applications."""

from suptree.otp import sys
from suptree.otp.application import Application
from suptree.otp.application_controller import ApplicationEnd, Applications
from suptree.otp.blocking import BlockingRuntime
from suptree.otp.child_spec import Backoff, ChildSpec, Startable, StartOptions, child
from suptree.otp.children import RESTARTING, ChildCounts, ChildInfo
from suptree.otp.clients import call_handler as call
from suptree.otp.clients import cast_handler as cast
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
from suptree.otp.exit_codes import ExitCode
from suptree.otp.gen_server import GenServer, ServerStart
from suptree.otp.gen_statem import GenStateMachine
from suptree.otp.partition import PartitionSupervisor, partition
from suptree.otp.pending import Request
from suptree.otp.registry import Registry, Via, via
from suptree.otp.registry_partitions import KeyRegistered, KeyUnregistered
from suptree.otp.registry_tables import RegistryEntry
from suptree.otp.request_set import RequestSet
from suptree.otp.requests import send_request
from suptree.otp.responses import Response, post_request
from suptree.otp.runner import run, run_program
from suptree.otp.runtime import Runtime, applications
from suptree.otp.start_function import FunctionStart, start_function
from suptree.otp.status import Status
from suptree.otp.stream import Spawn, StreamOptions, TaskStream, make_stream
from suptree.otp.supervisor import Supervisor
from suptree.otp.task import Task
from suptree.otp.task_process import TaskExit, TaskStart, TaskValue
from suptree.otp.task_results import TaskResults
from suptree.otp.task_supervisor import TaskSupervisor, spawner
from suptree.otp.transitions import (
    Action,
    Answer,
    Enter,
    Event,
    EventExpired,
    EventTimeout,
    Expired,
    GenericTimeout,
    Info,
    Internal,
    Keep,
    MachineState,
    Next,
    NextEvent,
    Postpone,
    Repeat,
    StateExpired,
    StateTimeout,
    StopAndReply,
    TimeoutAction,
    Transition,
)

__all__ = [
    "RESTARTING",
    "Action",
    "Answer",
    "Application",
    "ApplicationEnd",
    "Applications",
    "Backoff",
    "BlockingRuntime",
    "BadReturn",
    "ChildCounts",
    "ChildInfo",
    "ChildSpec",
    "Continue",
    "DynamicSupervisor",
    "Enter",
    "Event",
    "EventExpired",
    "EventTimeout",
    "ExitCode",
    "Expired",
    "FunctionStart",
    "GenServer",
    "GenStateMachine",
    "GenericTimeout",
    "Hibernate",
    "Ignore",
    "Info",
    "Internal",
    "Keep",
    "KeyRegistered",
    "KeyUnregistered",
    "MachineState",
    "Next",
    "NextEvent",
    "NoReply",
    "PartitionSupervisor",
    "Postpone",
    "Registry",
    "Request",
    "RequestSet",
    "RegistryEntry",
    "Repeat",
    "Reply",
    "Response",
    "Runtime",
    "ServerStart",
    "ServerRef",
    "Spawn",
    "StartOptions",
    "Startable",
    "StateExpired",
    "StateTimeout",
    "Status",
    "Stop",
    "StopAndReply",
    "StreamOptions",
    "Supervisor",
    "Task",
    "TaskExit",
    "TaskResults",
    "TaskStart",
    "TaskStream",
    "TaskSupervisor",
    "TaskValue",
    "Timeout",
    "TimeoutAction",
    "Transition",
    "Via",
    "applications",
    "call",
    "cast",
    "child",
    "make_stream",
    "partition",
    "post_request",
    "run",
    "send_request",
    "run_program",
    "spawner",
    "start_function",
    "sys",
    "via",
]
