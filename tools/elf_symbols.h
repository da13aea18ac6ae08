/* SPDX-License-Identifier: MIT */
/* elf_symbols.h - what the symbols of a file tell */
#ifndef HRESV_TOOLS_ELF_SYMBOLS_H
#define HRESV_TOOLS_ELF_SYMBOLS_H

#include <libelf.h>

/* The allocator linked into it: "jemalloc", ..., "malloc" of its own; NULL: none seen. */
const char *elf_symbols_allocator(Elf *elf);

#endif
