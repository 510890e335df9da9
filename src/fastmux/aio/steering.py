"""The rule of `protocol.connection_ids.worker_of` as a program of classic BPF, which Linux runs.

Owns: the program, and how it is attached to a group of sockets that share an address by SO_REUSEPORT. May
not know: who binds these sockets and in which order, what is in a packet behind its destination id.

The kernel runs the program on the payload of each datagram, takes what it returns as an index into the
group (sockets stand there in the order in which they were bound) and, where there is no such socket,
spreads by a hash of addresses and ports. A load behind the end of the payload ends the program with 0. No
privilege is needed.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from array import array
from typing import Final, NamedTuple

from fastmux import constants as c

SO_ATTACH_REUSEPORT_CBPF: Final = 51  # <asm-generic/socket.h>
# <linux/bpf_common.h>
LOAD_SIZE: Final = 0x80  # BPF_LD | BPF_W | BPF_LEN
LOAD_BYTE: Final = 0x30  # BPF_LD | BPF_B | BPF_ABS
LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
MODULO: Final = 0x94  # BPF_ALU | BPF_MOD | BPF_K
JUMP: Final = 0x05  # BPF_JMP | BPF_JA
JUMP_IF_SET: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
JUMP_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN: Final = 0x06  # BPF_RET | BPF_K
RETURN_RESULT: Final = 0x16  # BPF_RET | BPF_A

NO_SOCKET: Final = 0xFFFFFFFF  # no group is so large: the kernel takes its hash
_SHORT_ID: Final = 1  # where the destination id begins in a packet with a short header
_LONG_ID: Final = 6  # and with a long one: first byte, version, size of the id
_MIN_SIZE: Final = _LONG_ID + c.STEERING_OFFSET + c.STEERING_SIZE  # no packet of either form is shorter


class Instruction(NamedTuple):
    """One instruction of classic BPF; jumps count the instructions that are left out."""

    code: int
    if_true: int
    if_false: int
    value: int


def steering_program(workers: int) -> list[Instruction]:
    """The program for a group of `workers` sockets.

    What cannot be a packet of ours, because it is too short or has a clear fixed bit, is left to the
    kernel's hash: rubbish must not all go to one worker.
    """
    return [
        Instruction(LOAD_SIZE, 0, 0, 0),
        Instruction(JUMP_IF_AT_LEAST, 0, 8, _MIN_SIZE),
        Instruction(LOAD_BYTE, 0, 0, 0),
        Instruction(JUMP_IF_SET, 0, 6, c.FIXED_BIT),
        Instruction(JUMP_IF_SET, 2, 0, c.FORM_LONG),
        Instruction(LOAD_WORD, 0, 0, _SHORT_ID + c.STEERING_OFFSET),
        Instruction(JUMP, 0, 0, 1),
        Instruction(LOAD_WORD, 0, 0, _LONG_ID + c.STEERING_OFFSET),
        Instruction(MODULO, 0, 0, workers),
        Instruction(RETURN_RESULT, 0, 0, 0),
        Instruction(RETURN, 0, 0, NO_SOCKET),
    ]


def check_steering() -> None:
    """Raise OSError (ENOPROTOOPT) on a system that cannot steer at all."""
    if sys.platform != "linux":
        system = sys.platform
        raise OSError(errno.ENOPROTOOPT, f"datagrams are steered to workers on Linux only, not on {system}")


def attach_program(sock: socket.socket, program: list[Instruction]) -> None:
    """Have the kernel choose by `program` among the sockets that share an address with `sock`, now or later.

    `sock` must stand in such a group. Raises OSError if the kernel cannot: some sandboxes leave it out.
    """
    code = array("B", b"".join(struct.pack("=HBBI", *instruction) for instruction in program))  # sock_filter
    address, _ = code.buffer_info()  # the kernel copies from there, in this call
    filter_program = struct.pack("@HP", len(program), address)  # sock_fprog
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, filter_program)
    except OSError as error:
        message = f"this kernel does not steer datagrams to workers: {error.strerror}"
        raise OSError(error.errno, message) from error
