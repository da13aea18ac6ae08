#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""huge.py - the API from Python: a reservation as a buffer, by ctypes

    LD_PRELOAD=libhresv.so python3 huge.py

Under libhresv.so the functions are in the process already. The buffer can be what
takes one: memoryview, numpy.frombuffer, socket.recv_into.
"""
import ctypes
import sys

MIB = 1 << 20


class Want(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_size_t), ("page_bytes", ctypes.c_size_t),
                ("flags", ctypes.c_uint), ("node", ctypes.c_int),
                ("spare", ctypes.c_uint64 * 4)]


hresv = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else None)
hresv.hresv_strerror.restype = ctypes.c_char_p
hresv.hresv_huge_bytes.restype = ctypes.c_size_t
hresv.hresv_huge_bytes.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
hresv.hresv_map.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int,
                            ctypes.POINTER(ctypes.c_void_p)]
hresv.hresv_unmap.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
hresv.hresv_release.argtypes = [ctypes.c_void_p]


def check(err):
    if err < 0:
        raise MemoryError(hresv.hresv_strerror(err).decode())


class Huge:
    """Exactly so many bytes of huge pages, or MemoryError."""

    def __init__(self, size):
        self.size, self.handle, self.at = size, ctypes.c_void_p(), ctypes.c_void_p()
        check(hresv.hresv_reserve(ctypes.byref(Want(bytes=size)), ctypes.byref(self.handle)))
        check(hresv.hresv_map(self.handle, 0, 0, 0, ctypes.byref(self.at)))
        self.buffer = memoryview((ctypes.c_ubyte * size).from_address(self.at.value)).cast("B")

    def huge(self):
        return hresv.hresv_huge_bytes(self.at, self.size)

    def close(self):
        self.buffer.release()
        check(hresv.hresv_unmap(self.handle, self.at, self.size))
        hresv.hresv_release(self.handle)


memory = Huge(4 * MIB)
memory.buffer[:5] = b"hello"
print("%s, %d MiB huge" % (bytes(memory.buffer[:5]).decode(), memory.huge() // MIB))
memory.close()
try:
    Huge(1 << 46)
except MemoryError as short:
    print("64 TiB: %s" % short)
